"""A queue where everybody comes and leaves at the worst of times, by a seed: what holds after it.

python -m tests.actors.jobs.turmoil --cases 1000 [--redis]
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.local.journal import open_journal
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import ENDED, Bounds, Job, UnknownJob
from asr.actors.jobs.redis.queue import open_redis
from asr.actors.turns import Priority
from asr.pipeline.errors import AsrError, Busy
from tests.real.process import until
from tests.redis_server import redis_server

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asr.actors.jobs.queue import JobQueue, Run

BOUNDS = Bounds(durable_max=6, held_max=4, client_max=3)
PEOPLE = 5
VISITS = 12  # of each of them
SEGMENTS = 4
SHIFTS = 6  # how often those who work are sent home meanwhile
WITHIN_S = 60.0


class Turmoil:
    """What one seed does to a queue."""

    def __init__(self, queue: JobQueue, seed: int, *, pause_s: float) -> None:
        self._queue = queue
        self._dice = random.Random(seed)
        self._pause_s = pause_s
        self._names: list[str] = []
        self._forgotten: set[str] = set()  # or nearly: who forgot it may have left before it was
        self._at_work: Counter[str] = Counter()

    async def run(self) -> None:
        """All of it, and then what has to hold."""
        with trio.fail_after(WITHIN_S):
            async with trio.open_nursery() as nursery:
                for _ in range(PEOPLE):
                    nursery.start_soon(self._visit)
                nursery.start_soon(self._work_in_shifts)
            async with trio.open_nursery() as nursery:
                await nursery.start(partial(self._queue.work, self._do, slots=2))
                await until(self._is_empty, within_s=WITHIN_S)
                nursery.cancel_scope.cancel()
            for name in self._names:
                await self._check(name)
            await self._check_bounds()

    async def _is_empty(self) -> bool:
        stats = await self._queue.stats()
        return stats.waiting == stats.running == 0

    async def _work_in_shifts(self) -> None:
        for _ in range(SHIFTS):
            with trio.move_on_after(self._dice.random() * 10 * self._pause_s):
                await self._queue.work(self._do, slots=self._dice.randint(1, 3))

    async def _visit(self) -> None:
        for _ in range(VISITS):
            with trio.move_on_after(self._dice.random() * self._pause_s):
                with suppress(Busy, UnknownJob):
                    await self._errand()()
            await trio.lowlevel.checkpoint()

    def _errand(self) -> Callable[[], Awaitable[object]]:
        kind = self._dice.randrange(6)
        if kind < 3 or not self._names:
            self._names.append(name := f"job-{len(self._names)}")
            again = kind == 1 and self._dice.choice(self._names)
            return partial(self._queue.submit, self._job(again or name))
        name = self._dice.choice(self._names)
        if kind == 3:
            return partial(self._queue.cancel, name)
        if kind == 4:
            self._forgotten.add(name)
            return partial(self._queue.forget, name)
        return partial(self._listen, name)

    def _job(self, name: str) -> Job:
        which = random.Random(name)  # the same job comes again as it was
        priority = which.choice((Priority.BATCH, Priority.INTERACTIVE))
        durable = which.random() < 0.7
        return Job(name, name, client=which.choice("abc"), priority=priority, durable=durable)

    async def _listen(self, name: str) -> None:
        async with self._queue.events(name) as events:
            async for _ in events:
                pass

    async def _do(self, run: Run, /) -> bytes:
        self._at_work[name := run.job.id] += 1
        # A job that comes again may begin before the worker of the forgotten one has heard of that.
        assert self._at_work[name] == 1 or name in self._forgotten
        assert run.job.work == name
        try:
            for number in range(run.told.get("segment", 0), SEGMENTS):
                run.tell("segment", {"number": number})
                run.tell("progress", {"number": number})
                with trio.move_on_after(self._dice.random() * self._pause_s / 2):
                    await trio.sleep_forever()
            if self._dice.random() < 0.2:
                raise AsrError("It was not to be")
            return name.encode()
        finally:
            self._at_work[name] -= 1

    async def _check(self, name: str) -> None:
        try:
            standing = await self._queue.standing(name)
        except UnknownJob:
            return
        assert standing.state in ENDED
        assert standing.tries <= 1  # nobody has crashed
        async with self._queue.events(name) as events:
            told = [event async for event in events]
        assert [event.number for event in told] == list(range(1, len(told) + 1))
        assert [event.kind for event in told if event.kind in ENDED] == [standing.state]
        assert told[-1].kind == standing.state
        segments = [event.data["number"] for event in told if event.kind == "segment"]
        assert segments == list(range(len(segments)))
        if standing.state != "cancelled":
            assert len(segments) == SEGMENTS
        if standing.state == "done":
            assert await self._queue.result(name) == name.encode()

    async def _check_bounds(self) -> None:
        """Nobody has left a place behind that stays taken."""
        came: Counter[bool] = Counter()
        for durable, clients in ((True, "abc"), (False, "a")):
            for number in range(12):
                name = f"after-{durable}-{number}"
                job = Job(name, name, client=clients[number % len(clients)], durable=durable)
                try:
                    came[durable] += await self._queue.submit(job)
                except Busy:
                    continue
        assert came == {True: BOUNDS.durable_max, False: BOUNDS.held_max}


async def on_disk(seed: int, folder: Path) -> None:
    """A case on the queue of one process; what begins in its thread is waited for."""
    async with open_journal(folder / str(seed)) as journal, open_local(BOUNDS, journal) as queue:
        await Turmoil(queue, seed, pause_s=0.02).run()


async def in_redis(seed: int, url: str) -> None:
    """A case on a queue that machines share."""
    async with open_redis(url, BOUNDS, name=f"q{seed}") as queue:
        await Turmoil(queue, seed, pause_s=0.02).run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--redis", action="store_true")
    said = parser.parse_args()
    seeds = range(said.first, said.first + said.cases)
    with tempfile.TemporaryDirectory() as name, ExitStack() as opened:
        folder = Path(name)
        url = opened.enter_context(redis_server(folder)) if said.redis else ""
        for seed in seeds:
            if said.redis:
                trio.run(in_redis, seed, url)
            else:
                trio.run(on_disk, seed, folder)


if __name__ == "__main__":
    main()
