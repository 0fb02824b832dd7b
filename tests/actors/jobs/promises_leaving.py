"""What every queue promises: who asks something of it may leave at any moment; it stays whole."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from random import Random

import pytest
import trio

from asr.actors.jobs.queue import ENDED, Bounds, JobQueue, Run, UnknownJob
from asr.actors.turns import Priority
from asr.pipeline.errors import AsrError, Busy
from tests.actors.jobs.doing import OpenQueue, heard, job

BOUNDS = Bounds(durable_max=4, held_max=2, client_max=3)
NAMES = [f"{client}{number}" for client in "abc" for number in range(4)]
GUESTS = 6
VISITS = 25
STEPS_MAX = 40  # of the scheduler, before somebody leaves
SEGMENTS = 4

Ask = Callable[[], Awaitable[object]]


class Guests:
    """People who ask for this and that, and do jobs now and then."""

    def __init__(self, queue: JobQueue, chance: Random) -> None:
        self._queue = queue
        self._chance = chance

    async def come(self) -> None:
        """Ask again and again, and mostly leave before the answer."""
        for _ in range(VISITS):
            await leave_after(self._chance.randrange(STEPS_MAX), self._something())

    def _something(self) -> Ask:
        name = self._chance.choice(NAMES)
        durable = name[-1] != "0"
        priority = self._chance.choice([*Priority])
        some: list[Ask] = [
            partial(self._queue.submit, job(name, durable=durable, priority=priority)),
            partial(self._queue.cancel, name),
            partial(self._queue.forget, name),
            partial(self._queue.standing, name),
            partial(self._queue.work, self.do, slots=2),
            partial(heard, self._queue, name),
        ]
        return self._chance.choices(some, weights=(8, 1, 1, 1, 6, 2))[0]

    async def do(self, run: Run, /) -> bytes:
        """The handler: goes on where an earlier try has stopped."""
        for number in range(run.told.get("segment", 0), SEGMENTS):
            run.tell("progress", {"number": number})
            run.tell("segment", {"number": number})
            await trio.lowlevel.checkpoint()
        if self._chance.random() < 0.2:
            raise AsrError("not this one")
        return run.job.id.encode()


async def leave_after(steps: int, ask: Ask) -> None:
    async with trio.open_nursery() as nursery:

        async def leave() -> None:
            for _ in range(steps):
                await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()

        nursery.start_soon(leave)
        with suppress(UnknownJob, Busy):
            await ask()
        nursery.cancel_scope.cancel()


async def check(queue: JobQueue, guests: Guests) -> None:
    """All jobs there are come to one end, and every place is free again."""
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(queue.work, guests.do, slots=2))
        for name in NAMES:
            with suppress(UnknownJob):
                await check_job(queue, name)
        nursery.cancel_scope.cancel()
    stats = await queue.stats()
    assert (stats.waiting, stats.running) == (0, 0)
    for durable, most in ((True, BOUNDS.durable_max), (False, BOUNDS.held_max)):
        for number in range(most):
            assert await queue.submit(job(f"{number}-{durable}", durable=durable))
        with pytest.raises(Busy):
            await queue.submit(job("x-more", durable=durable))


async def check_job(queue: JobQueue, name: str) -> None:
    events = await heard(queue, name)
    stands = await queue.standing(name)
    assert [event.number for event in events] == list(range(1, len(events) + 1))
    assert [event.kind for event in events if event.kind in ENDED] == [stands.state]
    assert events[-1].kind == stands.state
    told = [event.data["number"] for event in events if event.kind == "segment"]
    assert told == list(range(len(told)))
    assert stands.state == "cancelled" or len(told) == SEGMENTS
    assert stands.tries == 1 or stands.state == "cancelled"  # leaving costs nobody a try
    if stands.state == "done":
        assert await queue.result(name) == name.encode()


class Leaving:
    """Nobody is waited for, and nothing is left behind."""

    @pytest.mark.parametrize("seed", range(8))
    async def test_whoever_leaves_at_any_moment_leaves_a_whole_queue(
        self, open_queue: OpenQueue, seed: int
    ) -> None:
        async with open_queue(BOUNDS) as queue:
            guests = Guests(queue, Random(seed))
            async with trio.open_nursery() as nursery:
                for _ in range(GUESTS):
                    nursery.start_soon(guests.come)
            await check(queue, guests)
