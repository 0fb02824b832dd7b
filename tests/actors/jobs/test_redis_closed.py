"""Connections that are closed in the moment in which they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import anyio
import pytest
from coredis import Redis

from asr.actors.jobs.redis.client import connect
from tests.redis_server import needs_redis, redis_server

if TYPE_CHECKING:
    from pathlib import Path

    from coredis.commands import CommandRequest

pytestmark = needs_redis

T = TypeVar("T")


@pytest.mark.parametrize("error", [anyio.ClosedResourceError, anyio.BrokenResourceError])
async def test_a_command_that_was_given_a_closed_connection_is_sent_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    sent = Redis.execute_command
    closed = [error()]

    async def closed_once(client: Redis[bytes], command: CommandRequest[T]) -> T:
        if closed:
            raise closed.pop()
        return await sent(client, command)

    with redis_server(tmp_path) as url:
        async with connect(url) as client:
            monkeypatch.setattr(Redis, "execute_command", closed_once)
            assert await client.ping()
    assert not closed
