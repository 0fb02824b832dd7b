"""Answers of the queue's server that were lost on their way, and what is asked again."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from asr.actors.jobs.queue import Bounds, Job
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from asr.actors.turns import OVERTAKEN_MAX
from tests.real.process import until
from tests.redis_server import redis_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

LEASE_S = 0.3

pytestmark = pytest.mark.skipif(
    shutil.which("redis-server") is None, reason="there is no redis-server here"
)


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[RedisQueue]:
    with redis_server(tmp_path) as url:
        async with open_redis(url, Bounds(), lease_s=LEASE_S) as queue:
            yield queue


async def take(queue: RedisQueue, worker: str, token: str) -> str | None:
    """The job that the server hands to a worker, as a ``Worker`` asks for it."""
    words = (f"{worker}/1", token, "*", LEASE_S, OVERTAKEN_MAX)
    answer = await queue._library.call("take", *words)
    return None if answer is None else str(answer[0].decode())


async def test_a_job_whose_answer_was_lost_is_handed_out_once(queue: RedisQueue) -> None:
    await queue.submit(Job("one", "work"))
    await queue.submit(Job("two", "work"))
    taken = [await take(queue, "here", token) for token in ("a", "a", "b", "a")]
    assert taken == ["one", "one", "two", "one"]
    assert (await queue.standing("one")).tries == 1


async def test_who_asks_again_after_its_lease_is_given_another_job_or_woken_for_one(
    queue: RedisQueue,
) -> None:
    await queue.submit(Job("one", "work"))
    assert await take(queue, "here", "a") == "one"  # and the answer is lost

    async def lost() -> bool:
        return (await queue.standing("one")).state == "queued"

    await until(lost)
    assert await take(queue, "there", "b") == "one"
    assert await take(queue, "here", "a") is None
    hungry = await queue._client.hgetall(f"{queue._library.prefix}hungry")
    assert list(hungry) == [b"here/1"]  # or nobody would tell it of the next one
    await queue.submit(Job("two", "work"))
    assert await take(queue, "here", "a") == "two"
