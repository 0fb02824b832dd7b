"""The jobs of one process that have not ended: who waits, who runs, who may still come.

All of it is decided without an await, so that bounds are exact.
"""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.doubt import Doubt
from asr.actors.jobs.local.line import Line
from asr.actors.jobs.queue import ClientBusy, QueueFull, Stats
from asr.actors.turns import ServiceTime

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr.actors.jobs.local.live import Live
    from asr.actors.jobs.queue import Bounds, Job, Leisure
    from asr.pipeline.errors import Busy


class Floor:
    """Where jobs live. One that is taken is its taker's, who ends it or puts it back."""

    def __init__(self, bounds: Bounds) -> None:
        self.slots = 0  # of all who work
        self.service_time = ServiceTime()
        self.bounds = bounds
        self._live: dict[str, Live] = {}
        self._line: Line[Live] = Line()
        self._waiting: Counter[bool] = Counter()  # by whether they are durable
        self._entering: dict[str, tuple[Job, trio.Event]] = {}
        self._came = trio.Event()
        self.doubt = Doubt(self._call)
        self._places: dict[str, int] | None = None

    async def find(self, job_id: str) -> Live | None:
        """The job, if it has not ended. Who is just entering is waited for."""
        while (entering := self._entering.get(job_id)) is not None:
            await entering[1].wait()
        return self._live.get(job_id)

    def refusal(self, job: Job) -> Busy | None:
        """Why the job may not enter now."""
        most = self.bounds.durable_max if job.durable else self.bounds.held_max
        backlog = self._waiting[job.durable] + self._count_entering(job.durable)
        if backlog >= most:
            return QueueFull(self._wait_s())
        share = self.bounds.client_max
        if share is not None and job.durable and self._held_by(job.client) >= share:
            return ClientBusy(self._wait_s())
        return None

    @contextmanager
    def entrance(self, job: Job) -> Iterator[None]:
        """A job is being written down: it has a place already, and a second one of its id waits."""
        entered = trio.Event()
        self._entering[job.id] = job, entered
        try:
            yield
        finally:
            del self._entering[job.id]
            entered.set()

    def enter(self, live: Live, *, first: bool = False) -> None:
        """A job waits from now on; ``first``: where it stood before it was taken."""
        self._live[live.job.id] = live
        live.waits = True
        self._waiting[live.job.durable] += 1
        if first:
            self._line.put_back(live)
        else:
            self._line.add(live)
        self._places = None
        self.doubt.end(live)
        self._call()

    async def take(self, suits: Callable[[Live], bool], leisure: Leisure) -> Live:
        """The job whose turn it is, of those that suit; waits for one, and for leisure."""
        may_begin = partial(self._may_begin, suits)
        await leisure()
        while (live := self._line.take(may_begin)) is None:
            with trio.move_on_at(self.doubt.until_s):
                await self._came.wait()
            await leisure()
        self._stopped_waiting(live)
        self.doubt.begin(live, lost=live.tries)
        return live

    def end(self, live: Live) -> None:
        """The job is over."""
        if live.waits:
            self._line.leave(live)
            self._stopped_waiting(live)
        live.over = True
        del self._live[live.job.id]
        self.doubt.end(live)

    def place(self, job_id: str) -> int | None:
        """The job's place in line, from 1, if it waits."""
        if self._places is None:
            self._places = {live.job.id: at for at, live in enumerate(self._line.order(), 1)}
        return self._places.get(job_id)

    def stats(self, *, now_s: float) -> Stats:
        waiting = [live.submitted_s for live in self._live.values() if live.waits]
        first_s = min(waiting, default=now_s)
        return Stats(
            waiting=len(waiting),
            running=len(self._live) - len(waiting),
            waiting_max=self.bounds.durable_max + self.bounds.held_max,
            oldest_s=max(0.0, now_s - first_s),
            held=self._waiting[False],
        )

    def _may_begin(self, suits: Callable[[Live], bool], live: Live) -> bool:
        return suits(live) and not (live.tries and self.doubt)

    def _call(self) -> None:
        """Those who wait for a job look again."""
        self._came.set()
        self._came = trio.Event()

    def _stopped_waiting(self, live: Live) -> None:
        live.waits = False
        self._waiting[live.job.durable] -= 1
        self._places = None

    def _count_entering(self, durable: bool) -> int:
        return sum(job.durable is durable for job, _ in self._entering.values())

    def _held_by(self, client: str) -> int:
        """How many durable jobs a client has that are not ended."""
        jobs = [live.job for live in self._live.values()]
        jobs += [job for job, _ in self._entering.values()]
        return sum(job.durable and job.client == client for job in jobs)

    def _wait_s(self) -> float:
        return self.service_time.retry_after_s(sum(self._waiting.values()) + 1, max(1, self.slots))
