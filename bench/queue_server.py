"""What a job costs the server of the queue: its own time, and its memory while the job waits.

    uv run python -m bench.queue_server [--jobs 500] [--events 10] [--waiting 0,900] [--valkey]

Each job is submitted, taken, tells so many events, ends, and is heard to its end by who submitted
it. The server is a Redis of its own at a socket, with a log that is written each second
(``redis-server`` has to be installed); its time is what it says itself, user and system together.
``--waiting`` is how many other jobs wait meanwhile, which those who work here may not do.
"""

from __future__ import annotations

import argparse
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.queue import Bounds, Job
from asr.actors.jobs.redis.client import connect
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from bench.machine import describe
from bench.markdown import print_head, print_row
from tests.redis_server import redis_server

if TYPE_CHECKING:
    from asr.actors.jobs.queue import Run
    from asr.actors.jobs.redis.pool import Client

AT_ONCE = 8
WORK = "x" * 1000  # the options of a request, about
RESULT = b"x" * 5000  # half a minute of speech, with its words


async def said(client: Client, section: str, *names: str) -> float:
    """The sum of what the server says of itself under these names."""
    told = await client.info(section)
    return sum(float(str(told[name])) for name in names)


async def used_s(client: Client) -> float:
    return await said(client, "cpu", "used_cpu_user", "used_cpu_sys")


async def one(queue: RedisQueue, name: str, turn: trio.CapacityLimiter) -> None:
    async with turn:
        await queue.submit(Job(name, WORK, client=name[-1], lane="here"))
        async with queue.events(name) as events:
            async for _ in events:
                pass
        await queue.result(name)
        await queue.forget(name)


async def measure(url: str, *, jobs: int, events: int, waiting: int) -> tuple[float, float]:
    """Seconds of the server for a job, and bytes of it for one that waits."""

    async def handler(run: Run, /) -> bytes:
        for number in range(events):
            run.tell("segment", {"text": "what was said in some seconds " * 4, "number": number})
            await trio.sleep(0.01)  # each is sent on its own
        return RESULT

    bounds = Bounds(durable_max=jobs + waiting)
    turn = trio.CapacityLimiter(AT_ONCE)
    async with connect(url) as client, open_redis(url, bounds) as queue:
        empty = await said(client, "memory", "used_memory")
        for number in range(waiting):
            await queue.submit(Job(f"w{number}", WORK, client=str(number % 100), lane="there"))
        full = await said(client, "memory", "used_memory")
        async with trio.open_nursery() as nursery:
            work = partial(queue.work, handler, slots=AT_ONCE, lanes=["here"])
            await nursery.start(work)
            before_s = await used_s(client)
            async with trio.open_nursery() as asking:
                for number in range(jobs):
                    asking.start_soon(one, queue, f"job{number}", turn)
            after_s = await used_s(client)
            nursery.cancel_scope.cancel()
    return (after_s - before_s) / jobs, (full - empty) / max(1, waiting)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=500)
    parser.add_argument("--events", type=int, default=10)
    parser.add_argument("--waiting", default="0,900")
    parser.add_argument("--valkey", action="store_true")
    asked = parser.parse_args()
    print(f"\n{describe()}\n")
    print_head("waiting meanwhile", "server, µs a job", "jobs/s of one core", "bytes, waiting")
    for waiting in map(int, asked.waiting.split(",")):
        program = "valkey-server" if asked.valkey else "redis-server"
        log = ("--appendonly", "yes", "--appendfsync", "everysec")
        with (
            tempfile.TemporaryDirectory() as folder,
            redis_server(Path(folder), *log, program=program) as url,
        ):
            measured = partial(measure, jobs=asked.jobs, events=asked.events, waiting=waiting)
            each_s, size = trio.run(measured, url)
        print_row(str(waiting), f"{each_s * 1e6:.0f}", f"{1 / each_s:.0f}", f"{size:.0f}")


if __name__ == "__main__":
    main()
