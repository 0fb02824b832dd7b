"""What the queue of jobs costs a job: how long it is until the job is kept, at work, and done.

    uv run python -m bench.queue [--jobs 1000] [--folder .] [--valkey]

A worker in the same process tells one event of each job and returns 5 KB at once, so that all the
time is the queue's; who submits listens from the beginning. Once with the queue in memory, once
with its journal on the disk of ``--folder``, and once with a Redis of its own at a socket, which
writes a log each second (``redis-server`` has to be installed). One job at a time, and then many.
"""

import argparse
import math
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import trio

from asr.actors.jobs.local.journal import open_journal
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import Bounds, Job, JobQueue, Run
from asr.actors.jobs.redis.queue import open_redis
from bench.machine import describe
from bench.markdown import print_head, print_row
from tests.redis_server import redis_server

RESULT = b"x" * 5000
WORK = "x" * 2000  # options, and the digest of the audio
AT_ONCE = 16
WARM_UP = 20

BOUNDS = Bounds(durable_max=10_000)

OpenQueue = Callable[[], AbstractAsyncContextManager[JobQueue]]


@dataclass(slots=True)
class Waited:
    """Seconds from a job's submission, a number for each job."""

    kept: list[float] = field(default_factory=list)
    begun: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)


async def say_one_thing(run: Run, /) -> bytes:
    """The worker's handler."""
    run.tell("segment", {"index": 0, "start": 0.0, "end": 1.0, "text": "word"})
    return RESULT


async def follow(queue: JobQueue, name: str, waited: Waited) -> None:
    """Submit a job, and listen until it is done and the result is here."""
    came_s = time.perf_counter()
    await queue.submit(Job(name, WORK, client="a", label={"file_name": "a.wav"}))
    waited.kept.append(time.perf_counter() - came_s)
    async with queue.events(name) as events:
        async for event in events:
            if event.number == 1:
                waited.begun.append(time.perf_counter() - came_s)
    if await queue.result(name) != RESULT:
        raise AssertionError("another result")
    waited.done.append(time.perf_counter() - came_s)


async def follow_all(queue: JobQueue, names: Iterator[str], waited: Waited) -> None:
    """One after the other."""
    for name in names:
        await follow(queue, name, waited)


async def measure(open_queue: OpenQueue, jobs: int) -> tuple[Waited, float]:
    """What jobs waited, one at a time; and how many there are in a second, many at a time."""
    async with open_queue() as queue, trio.open_nursery() as nursery:
        await nursery.start(partial(queue.work, say_one_thing, slots=AT_ONCE))
        await follow_all(queue, (f"warm-{number}" for number in range(WARM_UP)), Waited())
        alone = Waited()
        await follow_all(queue, (f"alone-{number}" for number in range(jobs)), alone)
        names = (f"many-{number}" for number in range(jobs))
        began_s = time.perf_counter()
        async with trio.open_nursery() as crowd:
            for _ in range(AT_ONCE):
                crowd.start_soon(follow_all, queue, names, Waited())
        rate = jobs / (time.perf_counter() - began_s)
        nursery.cancel_scope.cancel()
    return alone, rate


@contextmanager
def queues(folder: Path, *, valkey: bool) -> Iterator[dict[str, OpenQueue]]:
    """The queues that are measured, by name."""

    @asynccontextmanager
    async def on_disk() -> AsyncIterator[JobQueue]:
        async with open_journal(folder / "jobs") as journal, open_local(BOUNDS, journal) as queue:
            yield queue

    program = "valkey-server" if valkey else "redis-server"
    log = ("--appendonly", "yes", "--appendfsync", "everysec")
    with redis_server(folder / "redis", *log, program=program) as url:
        yield {
            "in process": partial(open_local, BOUNDS, None),
            "SQLite": on_disk,
            program.removesuffix("-server").capitalize(): partial(open_redis, url, BOUNDS),
        }


def at(share: float, waited: Sequence[float]) -> str:
    """That of all jobs which so many had to wait no longer than, in milliseconds."""
    place = max(0, math.ceil(share * len(waited)) - 1)
    return f"{sorted(waited)[place] * 1000:.1f}"


def main() -> None:
    """Measure each queue, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--folder", type=Path, default=Path())
    parser.add_argument("--valkey", action="store_true", help="instead of Redis")
    options = parser.parse_args()
    print(describe("trio", "coredis"))
    print(f"{options.jobs} jobs; milliseconds from the submission, p50 and p99\n")
    columns = ("kept", "p99", "first event", "p99", "result", "p99")
    print_head("queue", *columns, f"jobs/s, {AT_ONCE} at once")
    with (
        tempfile.TemporaryDirectory(dir=options.folder, prefix="bench-queue-") as folder,
        queues(Path(folder).resolve(), valkey=options.valkey) as measured,
    ):
        for name, open_queue in measured.items():
            waited, rate = trio.run(measure, open_queue, options.jobs)
            of_each = (waited.kept, waited.begun, waited.done)
            figures = (at(share, seconds) for seconds in of_each for share in (0.5, 0.99))
            print_row(name, *figures, f"{rate:.0f}")


if __name__ == "__main__":
    main()
