"""A register of jobs in memory, whose jobs get on when a test says so."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import trio

from asr.actors.jobs.order import Work, dump_work
from asr.actors.jobs.queue import ENDED, Event, Job, Standing, State, UnknownJob
from asr.actors.jobs.register import KeyReused, NotDone
from asr.actors.jobs.settings import JobSettings
from asr.pipeline.records import dump_error, load_error
from tests.fakes import Gate
from tests.http.fakes import HELLO

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from asr.actors.jobs.order import Order
    from asr.actors.jobs.register import Register
    from asr.actors.turns import Priority
    from asr.pipeline.errors import AsrError
    from asr.pipeline.types import Transcript

BEGAN_S = 1_790_000_000.0


@dataclass
class FakeRegister(Gate):
    """Keeps what it is given; ``refusal`` is raised instead of taking a job in.

    ``hold()`` keeps those waiting who want a transcript; ``reading`` counts them.
    """

    settings: JobSettings = field(default_factory=lambda: JobSettings(keep_s=3600.0))
    refusal: AsrError | None = None
    standings: dict[str, Standing] = field(default_factory=dict)
    told: dict[str, list[Event]] = field(default_factory=dict)
    audio: dict[str, bytes] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    answer: Transcript = HELLO
    listening: int = 0
    reading: int = 0
    _news: trio.Event = field(default_factory=trio.Event)

    def __post_init__(self) -> None:
        super().__init__()

    async def refuse_if_full(self) -> None:
        await trio.lowlevel.checkpoint()
        if self.refusal:
            raise self.refusal

    async def submit(
        self,
        file: Path,
        order: Order,
        *,
        job_id: str,
        client: str,
        priority: Priority,
        webhook: str | None = None,
    ) -> Standing:
        await self.refuse_if_full() if job_id not in self.standings else None
        audio = file.read_bytes()  # noqa: ASYNC240 - no threads beside the mock clock
        work = dump_work(Work(order, f"{job_id}.{hash(audio)}"))
        if there := self.standings.get(job_id):
            if there.job.work != work:
                raise KeyReused
            return there
        self.orders.append(order)
        self.audio[job_id] = audio
        job = Job(
            job_id,
            work,
            client=client,
            lane=order.model,
            priority=priority,
            webhook=webhook,
            label=order.label(priority),
            created_s=BEGAN_S + len(self.standings),
        )
        self.told[job_id] = []
        self._set(Standing(job, "queued", place=1 + len(self.standings)))
        self.tell(job_id, "queued", place=self.standings[job_id].place)
        return self.standings[job_id]

    def tell(self, job_id: str, kind: str, **data: Any) -> None:
        """Something happens to a job."""
        told = self.told[job_id]
        told.append(Event(len(told) + 1, kind, data))
        if kind == "progress":
            self._set(replace(self.standings[job_id], progress=data))
        self._news.set()
        self._news = trio.Event()

    def begin(self, job_id: str) -> None:
        """Work on it begins."""
        standing = replace(self.standings[job_id], state="running", place=None, tries=1)
        self._set(replace(standing, started_s=BEGAN_S + 100))
        self.tell(job_id, "started", tries=1)

    def end(self, job_id: str, state: State, failure: AsrError | None = None) -> None:
        """It ends."""
        standing = replace(self.standings[job_id], state=state, place=None, ended_s=BEGAN_S + 200)
        why = None if failure is None else dump_error(failure)
        self._set(replace(standing, failure=why))
        self.tell(job_id, state)

    def move(self, job_id: str, place: int) -> None:
        """It has another place in line."""
        self._set(replace(self.standings[job_id], place=place))

    def _set(self, standing: Standing) -> None:
        self.standings[standing.job.id] = standing

    async def standing(self, job_id: str, *, client: str | None) -> Standing:
        await trio.lowlevel.checkpoint()
        standing = self.standings.get(job_id)
        if standing is None or client not in (None, standing.job.client):
            raise UnknownJob
        return standing

    async def list(
        self, *, client: str | None, after: str = "", limit: int = 100
    ) -> Sequence[Standing]:
        await trio.lowlevel.checkpoint()
        newest = [*reversed(self.standings.values())]
        ids = [standing.job.id for standing in newest]
        if after and after not in ids:
            raise UnknownJob
        older = newest[ids.index(after) + 1 :] if after else newest
        return [one for one in older if client in (None, one.job.client)][:limit]

    async def transcript(self, job_id: str, *, client: str | None) -> Transcript:
        standing = await self.standing(job_id, client=client)
        if standing.state == "failed":
            raise load_error(standing.failure or {})
        if standing.state != "done":
            raise NotDone(f"The job is {standing.state}: it has no result")
        self.reading += 1
        await self._free.wait()
        self.reading -= 1
        return self.answer

    async def events(
        self, job_id: str, *, client: str | None, after: int = 0
    ) -> AbstractAsyncContextManager[AsyncIterator[Event]]:
        await self.standing(job_id, client=client)
        return self._events(job_id, after)

    @asynccontextmanager
    async def _events(self, job_id: str, after: int) -> AsyncIterator[AsyncIterator[Event]]:
        self.listening += 1
        try:
            yield self._after(job_id, after)
        finally:
            self.listening -= 1

    async def _after(self, job_id: str, number: int) -> AsyncIterator[Event]:
        while True:
            if job_id not in self.told:
                raise UnknownJob
            for event in self.told[job_id][number:]:
                number = event.number
                yield event
            if self.told[job_id][-1].kind in ENDED:
                return
            await self._news.wait()

    async def cancel(self, job_id: str, *, client: str | None) -> bool:
        if (await self.standing(job_id, client=client)).state in ENDED:
            return False
        self.end(job_id, "cancelled")
        return True

    async def delete(self, job_id: str, *, client: str | None) -> None:
        await self.standing(job_id, client=client)
        del self.standings[job_id], self.told[job_id]
        self._news.set()
        self._news = trio.Event()


def as_register(fake: FakeRegister) -> Register:
    """The fake in the eyes of the type checker."""
    return cast("Register", fake)
