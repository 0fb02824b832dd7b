"""A worker of a shared queue whose work is to wait for a file: see ``test_two_hosts.py``.

    python -m tests.real.far_worker URL LEASE_S FOLDER NAME

What becomes of each job is a file in the folder, and so is the word to finish it.
"""

from __future__ import annotations

import sys
from pathlib import Path

import trio

from asr.actors.jobs.queue import Bounds, Run
from asr.actors.jobs.redis.queue import open_redis
from tests.real.process import until

PATIENCE_S = 60.0


def mark(folder: Path, name: str, word: str, run: Run) -> Path:
    """The file that says what becomes of a try at a job."""
    return folder / f"{name}-{word}-{run.job.id}"


async def main(*words: str) -> None:
    url, lease_s, where, name = words
    folder = Path(where)

    async def wait(run: Run) -> bytes:
        async def told_to() -> bool:
            return mark(folder, name, "finish", run).exists()

        mark(folder, name, "begun", run).touch()
        try:
            await until(told_to, within_s=PATIENCE_S)
        except trio.Cancelled:
            mark(folder, name, "stopped", run).touch()
            raise
        mark(folder, name, "finished", run).touch()
        return name.encode()

    async with open_redis(url, Bounds(), lease_s=float(lease_s)) as queue:
        await queue.work(wait, slots=1)


if __name__ == "__main__":
    trio.run(main, *sys.argv[1:])
