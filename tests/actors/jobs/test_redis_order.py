"""The shared queue takes in, lines up and hands out as the queue of one process does."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import Bounds, Job, JobQueue, UnknownJob
from asr.actors.jobs.redis.queue import open_redis
from asr.actors.turns import Priority
from asr.pipeline.errors import Busy
from tests.actors.jobs.doing import Attempt, Attempts
from tests.redis_server import needs_redis

if TYPE_CHECKING:
    from collections.abc import Collection

pytestmark = needs_redis

SEEDS = 6
STEPS = 80
BOUNDS = Bounds(durable_max=15, held_max=5, client_max=7)
HANDS_MAX = 3
LANES = (None, ("x",), ("y",), ("x", "y"))


@dataclass
class Walk:
    """The same things done to both queues, at random; each has to say the same of them."""

    queues: tuple[JobQueue, JobQueue]
    nursery: trio.Nursery
    chance: random.Random
    jobs: dict[str, Job] = field(default_factory=dict)
    hands: list[list[tuple[Attempt, trio.CancelScope]]] = field(default_factory=list)
    submitted: int = 0

    async def step(self) -> None:
        ways = [self.submit] * 6 + [self.take] * 4 + [self.put_back, self.cancel, self.forget]
        await self.chance.choice(ways)()
        first, second = [await self.seen(queue) for queue in self.queues]
        assert first == second

    async def seen(self, queue: JobQueue) -> object:
        """How all jobs stand, and how many wait and run."""
        stands = [await queue.standing(name) for name in self.jobs]
        stats = await queue.stats()
        listed = [one.job.id for one in await queue.list()]
        states = [(one.job.id, one.state, one.place, one.tries) for one in stands]
        return states, listed, replace(stats, oldest_s=0.0)

    async def submit(self) -> None:
        self.submitted += 1
        job = Job(
            f"j{self.submitted}",
            "work",
            client=self.chance.choice("abc"),
            lane=self.chance.choice(("", "x", "y")),
            priority=self.chance.choice(list(Priority)),
            durable=self.chance.random() < 0.8,
        )
        first, second = [await answered(queue, job) for queue in self.queues]
        assert first == second
        if first is True:
            self.jobs[job.id] = job

    async def take(self) -> None:
        lanes = self.chance.choice(LANES)
        local, _ = self.queues
        fits = [
            job
            for job in self.jobs.values()
            if (lanes is None or job.lane in ("", *lanes))
            and (await local.standing(job.id)).state == "queued"
        ]
        if fits and len(self.hands) < HANDS_MAX:
            pair = [await self.taken(queue, lanes) for queue in self.queues]
            assert pair[0][0].name == pair[1][0].name
            self.hands.append(pair)

    async def taken(
        self, queue: JobQueue, lanes: Collection[str] | None
    ) -> tuple[Attempt, trio.CancelScope]:
        """The next job, in the hands of a worker of its own."""
        attempts, scope = Attempts(), trio.CancelScope()

        async def work() -> None:
            with scope:
                await queue.work(attempts, slots=1, lanes=lanes)

        self.nursery.start_soon(work)
        return await attempts.next(), scope

    async def put_back(self) -> None:
        if self.hands:
            pair = self.hands.pop(self.chance.randrange(len(self.hands)))
            for (attempt, scope), queue in zip(pair, self.queues, strict=True):
                scope.cancel()
                while (await queue.standing(attempt.name)).state == "running":
                    await trio.testing.wait_all_tasks_blocked()

    async def cancel(self) -> None:
        if name := self.waiting():
            first, second = [await queue.cancel(name) for queue in self.queues]
            assert first == second

    async def forget(self) -> None:
        if name := self.waiting():
            for queue in self.queues:
                await queue.forget(name)
                with pytest.raises(UnknownJob):
                    await queue.standing(name)
            del self.jobs[name]

    def waiting(self) -> str | None:
        """A job that nobody is at."""
        at_work = {attempt.name for ((attempt, _), _) in self.hands}
        names = [name for name in self.jobs if name not in at_work]
        return self.chance.choice(names) if names else None


async def answered(queue: JobQueue, job: Job) -> object:
    try:
        return await queue.submit(job)
    except Busy as error:
        return type(error)


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_both_queues_say_the_same_of_whatever_is_done_to_them(url: str, seed: int) -> None:
    async with (
        open_local(BOUNDS, None) as local,
        open_redis(url, BOUNDS, name=f"order-{seed}") as shared,
        trio.open_nursery() as nursery,
    ):
        walk = Walk((local, shared), nursery, random.Random(seed))
        for _ in range(STEPS):
            await walk.step()
        assert walk.submitted > STEPS / 4
        nursery.cancel_scope.cancel()
