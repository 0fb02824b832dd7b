"""What the shared queue does when its server was away, has lost something, or is asked by many."""

from __future__ import annotations

from time import time
from typing import TYPE_CHECKING

import pytest

from asr.actors.jobs.queue import TRIES_MAX, Bounds
from asr.actors.jobs.redis.library import Library
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from asr.actors.jobs.redis.roster import RedisRoster, WorkerProcess
from asr.actors.turns import OVERTAKEN_MAX
from tests.actors.jobs.doing import at_work, heard, job, submit
from tests.redis_server import needs_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asr.actors.jobs.redis.pool import Client

pytestmark = needs_redis

LEASE_S = 30.0
NAME = "outages"


@pytest.fixture
async def queue(url: str, client: Client) -> AsyncIterator[RedisQueue]:
    async with open_redis(url, Bounds(), name=NAME, lease_s=LEASE_S) as queue:
        yield queue


@pytest.mark.parametrize(("away_s", "lost"), [(0.8 * LEASE_S, False), (0.1 * LEASE_S, True)])
async def test_nobody_is_taken_for_dead_because_the_server_was_away(
    queue: RedisQueue, client: Client, away_s: float, lost: bool
) -> None:
    """The first to come back finds that others have said nothing for as long as it was away."""
    server = Library(client, NAME)
    await submit(queue, "a1")
    assert await server.call("take", "first/1", "t", "*", LEASE_S, OVERTAKEN_MAX)
    await client.zadd(f"{server.prefix}leases", {"a1": time() - 1})
    await client.set(f"{server.prefix}pulse", repr(time() - away_s))
    await server.call("beat", "second", LEASE_S, "0", TRIES_MAX, "{}")
    assert ((await queue.standing("a1")).state == "queued") is lost


async def test_who_cancels_and_has_to_ask_again_hears_the_same(
    queue: RedisQueue, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Library.call

    async def again(library: Library, function: str, *arguments: str | bytes | float) -> object:
        """The first answer to a cancel is lost."""
        if function == "cancel":
            await call(library, function, *arguments)
        return await call(library, function, *arguments)

    monkeypatch.setattr(Library, "call", again)
    await submit(queue, "a1")
    assert await queue.cancel("a1")
    assert not await queue.cancel("a1")


async def test_a_result_of_which_a_piece_is_lost_is_sent_again(
    queue: RedisQueue, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server was started again between the pieces and the end, and had not written all."""
    big = b"0123456789" * 300_000
    real = Library.call
    ends = 0

    async def call(library: Library, function: str, *arguments: str | bytes | float) -> object:
        nonlocal ends
        if function == "finish":
            ends += 1
            pieces = [key async for key in client.scan_iter(f"{library.prefix}piece:*")]
            if ends == 1:
                await client.unlink(pieces[:1])
        return await real(library, function, *arguments)

    monkeypatch.setattr(Library, "call", call)
    await submit(queue, "a1")
    async with at_work(queue) as attempts:
        (await attempts.next()).end(big)
        assert [event.kind for event in await heard(queue, "a1")] == ["done"]
    assert (ends, await queue.result("a1")) == (2, big)


async def test_a_place_is_right_also_among_more_clients_than_are_looked_at(
    queue: RedisQueue, client: Client
) -> None:
    for number in range(250):
        await queue.submit(job(f"a{number}", client=f"client {number}"))
    places = [(await queue.standing(f"a{number}")).place for number in (0, 99, 120, 249)]
    assert places == [1, 100, 121, 250]


async def test_where_there_is_no_memory_left_what_runs_goes_on_and_ends(
    queue: RedisQueue, client: Client
) -> None:
    big = b"0123456789" * 300_000
    await submit(queue, "a1")
    async with at_work(queue) as attempts:
        attempt = await attempts.next()
        await client.config_set({"maxmemory": "1"})
        try:
            attempt.end(big)
            assert [event.kind for event in await heard(queue, "a1")] == ["done"]
            assert await queue.result("a1") == big
            await RedisRoster(client, lease_s=LEASE_S, name=NAME).beat(WorkerProcess("anna", "cpu"))
        finally:
            await client.config_set({"maxmemory": "0"})
