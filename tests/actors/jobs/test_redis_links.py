"""Connections to the shared queue break at any moment: what was asked is done, and done once."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.jobs.queue import Bounds, Job, Run
from asr.actors.jobs.redis.client import connect
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from tests.actors.jobs.doing import heard
from tests.redis_server import SERVERS, redis_server

if TYPE_CHECKING:
    from pathlib import Path

JOBS = 60
SEGMENTS = 3
BREAKS_MIN = 5
BIG = 60_000  # times the name: a result in pieces


async def a_while(seconds: float) -> None:
    with trio.move_on_after(seconds):
        await trio.sleep_forever()


async def work(run: Run, /) -> bytes:
    for index in range(SEGMENTS):
        if index >= run.told.get("segment", 0):
            run.tell("segment", {"index": index})
        run.tell("progress", {"index": index})
        await a_while(0.005)
    return run.job.id.encode() * (BIG if run.job.id.endswith("7") else 1)


async def ask(queue: RedisQueue, name: str) -> None:
    assert await queue.submit(Job(name, "", durable=len(name) % 2 == 0))
    events = await heard(queue, name)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    told = [event.data["index"] for event in events if event.kind == "segment"]
    assert told == list(range(SEGMENTS))
    assert events[-1].kind == "done"
    assert await queue.result(name) == name.encode() * (BIG if name.endswith("7") else 1)
    assert (await queue.standing(name)).tries == 1


@pytest.mark.parametrize("program", SERVERS)
async def test_whatever_connections_break_everything_is_done_once(
    tmp_path: Path, program: str
) -> None:
    broken: list[int] = []

    async def break_connections(url: str, queue: RedisQueue) -> None:
        from coredis.tokens import PureToken

        async with connect(url) as client:
            while True:
                kill = client.client_kill(type_=PureToken.NORMAL, skipme=True)
                broken.append(int(await kill))
                await queue.stats()  # however slow this machine is, something comes through
                await a_while(0.04)

    with redis_server(tmp_path, program=program) as url:
        async with (
            open_redis(url, Bounds(held_max=JOBS)) as front,
            open_redis(url, Bounds()) as queue,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(break_connections, url, queue)
            nursery.start_soon(partial(queue.work, work, slots=4))
            async with trio.open_nursery() as asking:
                for number in range(JOBS):
                    asking.start_soon(ask, front, f"job{number}")
            assert sum(broken) > BREAKS_MIN
            nursery.cancel_scope.cancel()
