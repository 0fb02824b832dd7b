from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from secrets import token_hex

import pytest

from asr.actors.jobs.queue import Bounds, JobQueue
from asr.actors.jobs.redis.queue import open_redis
from tests.actors.jobs.doing import ROOMY, OpenQueue
from tests.actors.jobs.promises import Promises
from tests.redis_server import needs_redis, needs_valkey, redis_server


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("valkey"), program="valkey-server") as url:
        yield url


def opens(url: str) -> OpenQueue:
    """Opens a queue that nobody else has."""
    name = token_hex(8)

    @asynccontextmanager
    async def opened(bounds: Bounds = ROOMY, /) -> AsyncIterator[JobQueue]:
        async with open_redis(url, bounds, name=name) as queue:
            yield queue

    return opened


class Shared(Promises):
    """The queue that machines share."""

    @pytest.fixture
    def keeps(self) -> bool:
        return True


@needs_redis
class TestInRedis(Shared):
    @pytest.fixture
    def open_queue(self, redis: str) -> OpenQueue:
        return opens(redis)


@needs_valkey
class TestInValkey(Shared):
    @pytest.fixture
    def open_queue(self, valkey: str) -> OpenQueue:
        return opens(valkey)
