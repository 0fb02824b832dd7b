"""A Redis for the tests of a file, and a client that finds it empty."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.actors.jobs.redis.client import connect
from tests.redis_server import redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from asr.actors.jobs.redis.pool import Client

for name in (
    "doing",
    "promises_keeping",
    "promises_lasting",
    "promises_leaving",
    "promises_telling",
    "promises_crashing",
    "promises_working",
):
    pytest.register_assert_rewrite(f"tests.actors.jobs.{name}")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
async def client(url: str) -> AsyncIterator[Client]:
    async with connect(url) as client:
        await client.flushall()
        yield client
