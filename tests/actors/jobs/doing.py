"""A handler that does what a test says, and what all tests of a queue ask of it."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import trio

from asr.actors.jobs.queue import Bounds, Event, Job, JobQueue, Run

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from contextlib import AbstractAsyncContextManager

    from asr.actors.jobs.queue import Leisure

ROOMY = Bounds()


class OpenQueue(Protocol):
    """Opens the queue that is tested: the same one each time, with what is left of it."""

    def __call__(self, bounds: Bounds = ROOMY, /) -> AbstractAsyncContextManager[JobQueue]: ...


class Attempt:
    """A run that waits for the test's word. ``stopped`` is set when it was cancelled."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.stopped = trio.Event()
        self._said = trio.Event()
        self._outcome: bytes | Exception = b""

    @property
    def name(self) -> str:
        return self.run.job.id

    def tell(self, kind: str, **data: Any) -> None:
        self.run.tell(kind, data)

    def end(self, outcome: bytes | Exception = b"the result") -> None:
        self._outcome = outcome
        self._said.set()

    async def outcome(self) -> bytes:
        try:
            await self._said.wait()
        except trio.Cancelled:
            self.stopped.set()
            raise
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome


class Attempts:
    """A handler whose runs are the test's. ``at_once`` is how many there were at a time at most."""

    def __init__(self) -> None:
        self._tell, self._begun = trio.open_memory_channel[Attempt](math.inf)
        self._running = 0
        self.at_once = 0

    async def __call__(self, run: Run, /) -> bytes:
        attempt = Attempt(run)
        self._tell.send_nowait(attempt)
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        try:
            return await attempt.outcome()
        finally:
            self._running -= 1

    async def next(self) -> Attempt:
        """The next run that begins."""
        return await self._begun.receive()

    async def names(self, count: int) -> list[str]:
        """The next ``count`` jobs in the order in which they begin; each is done at once."""
        names = []
        for _ in range(count):
            attempt = await self.next()
            names.append(attempt.name)
            attempt.end()
        return names

    def none_begun(self) -> bool:
        return self._begun.statistics().current_buffer_used == 0


@asynccontextmanager
async def at_work(
    queue: JobQueue,
    *,
    slots: int = 1,
    lanes: Collection[str] | None = None,
    leisure: Leisure = trio.lowlevel.checkpoint,
) -> AsyncIterator[Attempts]:
    """A worker, for as long as the context lasts."""
    attempts = Attempts()
    async with trio.open_nursery() as nursery:
        work = partial(queue.work, attempts, slots=slots, lanes=lanes, leisure=leisure)
        await nursery.start(work)
        yield attempts
        nursery.cancel_scope.cancel()


def job(name: str, **more: Any) -> Job:
    """A job of that id, for the client that its name begins with."""
    return Job(name, more.pop("work", f"work of {name}"), **{"client": name[0], **more})


async def submit(queue: JobQueue, *names: str, **more: Any) -> None:
    for name in names:
        assert await queue.submit(job(name, **more))


async def heard(queue: JobQueue, job_id: str, *, after: int = 0) -> list[Event]:
    """A job's events after a number, until there are no more."""
    async with queue.events(job_id, after=after) as events:
        return [event async for event in events]


async def first_heard(queue: JobQueue, job_id: str, *, after: int = 0) -> Event:
    """A job's next event after a number."""
    async with queue.events(job_id, after=after) as events:
        async for event in events:
            return event
    raise AssertionError("there was no event")
