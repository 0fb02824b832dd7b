"""How much more several workers do than one, where all that they share is the queue.

    uv run python -m bench.scaling [--workers 1,2,3] [--slots 1] [--work 0.2] [--jobs 150]
        [--rounds 3] [--valkey]

Each worker is a process whose engine does nothing but take its time: ``--work`` seconds a job,
``--slots`` jobs at once. So whatever is missing to so many times the rate of one is the queue's:
the way of a job to its worker, and that of its end back. The server is a Redis of its own at a
socket, which writes a log each second (``redis-server`` has to be installed). The jobs are there
before it begins, in equal numbers for each worker; from the first that begins to the last that is
done is what is measured. The best of the rounds counts, as this machine has other things to do.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path
from secrets import token_hex

import trio

from asr.actors.jobs.queue import Bounds, Job
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from bench.machine import describe
from bench.markdown import print_head, print_row
from tests.real.queue_workers import lines, workers
from tests.redis_server import redis_server

LEASE_S = 15.0


async def done_s(url: str, log: Path, *, count: int, slots: int, work_s: float, jobs: int) -> float:
    """Seconds that so many workers take for so many jobs each."""
    names = [token_hex(8) for _ in range(count * jobs)]
    async with open_redis(url, Bounds(durable_max=len(names))) as queue:
        for name in names:
            await queue.submit(Job(name, "", client=name[0]))
        with workers(count, url, log, lease_s=LEASE_S, slots=slots, work_s=work_s):
            async with trio.open_nursery() as nursery:
                for name in names:
                    nursery.start_soon(ended, queue, name)
            end_s = time.monotonic()
    return end_s - min(line.at_s for line in lines(log) if line.job in set(names))


async def ended(queue: RedisQueue, name: str) -> None:
    async with queue.events(name) as events:
        async for _ in events:
            pass


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", default="1,2,3")
    parser.add_argument("--slots", type=int, default=1)
    parser.add_argument("--work", type=float, default=0.2)
    parser.add_argument("--jobs", type=int, default=150, help="of each worker")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--valkey", action="store_true")
    asked = parser.parse_args()
    program = "valkey-server" if asked.valkey else "redis-server"
    print(f"{describe()}, {program}; {asked.jobs} jobs of {asked.work:g} s a worker\n")
    print_head("workers", "jobs a second", "of what the engines could", "against one, each")
    one = 0.0
    with tempfile.TemporaryDirectory() as folder:
        kept = ("--appendonly", "yes")
        with redis_server(Path(folder, "queue"), *kept, program=program) as url:
            for count in map(int, asked.workers.split(",")):
                rates = []
                for turn in range(asked.rounds):
                    log = Path(folder, f"{count}-{turn}")
                    how = {"slots": asked.slots, "work_s": asked.work, "jobs": asked.jobs}
                    took_s = trio.run(partial(done_s, url, log, count=count, **how))
                    rates.append(count * asked.jobs / took_s)
                best = max(rates)
                one = one or best / count
                could = best * asked.work / (count * asked.slots)
                print_row(str(count), f"{best:.2f}", f"{could:.3f}", f"{best / count / one:.3f}")


if __name__ == "__main__":
    main()
