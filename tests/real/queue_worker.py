"""A worker of a shared queue with an engine that does nothing but take its time.

    python -m tests.real.queue_worker URL LEASE_S SLOTS WORK_S LOG

Each job tells one event, takes so long, and has its own id as its result. The log gets a line of
what happens to each: ``begun`` or ``stopped``, the job, the process, and when (monotonic, in s).
SIGTERM ends it as it ends the program: what it is at goes back.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.queue import Bounds
from asr.actors.jobs.redis.queue import open_redis

if TYPE_CHECKING:
    from asr.actors.jobs.queue import Run


def note(log: Path, word: str, run: Run) -> None:
    """A line, whole, whoever writes at the same time."""
    with log.open("ab", buffering=0) as file:
        file.write(f"{word} {run.job.id} {os.getpid()} {time.monotonic()}\n".encode())


async def take_time(run: Run, /, *, work_s: float, log: Path) -> bytes:
    note(log, "begun", run)
    if not run.told:
        run.tell("segment", {"text": run.job.id})
    try:
        with trio.move_on_after(work_s):
            await trio.sleep_forever()
    except trio.Cancelled:
        note(log, "stopped", run)
        raise
    return run.job.id.encode()


async def main(*words: str) -> None:
    url, lease_s, slots, work_s, log = words
    handler = partial(take_time, work_s=float(work_s), log=Path(log))
    async with (
        open_redis(url, Bounds(), lease_s=float(lease_s)) as queue,
        trio.open_nursery() as nursery,
    ):
        with trio.open_signal_receiver(signal.SIGTERM) as signals:
            await nursery.start(partial(queue.work, handler, slots=int(slots)))
            sys.stdout.write("ready\n")
            sys.stdout.flush()
            async for _ in signals:
                nursery.cancel_scope.cancel()
                break


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
