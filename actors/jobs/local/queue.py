"""The queue of one process, whose jobs are rows of a journal, on the disk or in memory.

Who waits and who runs is decided on the floor (``floor.py``), without an await, so that bounds are
exact; whoever is told something could read it in the book before.
"""

from __future__ import annotations

import logging
from contextlib import aclosing, asynccontextmanager, nullcontext
from dataclasses import replace
from functools import partial
from time import time
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.local import ledger, pages
from asr.actors.jobs.local.floor import Floor
from asr.actors.jobs.local.hands import REFUSED_S, Hands
from asr.actors.jobs.local.journal import UNWRITTEN, memory_journal
from asr.actors.jobs.local.ledger import Outcome
from asr.actors.jobs.local.live import Book, Live, write_told
from asr.actors.jobs.queue import ENDED, Notice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence

    from asr.actors.jobs.local.journal import Journal
    from asr.actors.jobs.local.pages import Left
    from asr.actors.jobs.queue import Bounds, Event, Handler, Job, Leisure, Standing, Stats

log = logging.getLogger(__name__)

TELL_EVERY_S = 0.05
EVENTS_AT_ONCE = 256

# The clock on the wall may be set: who waits for a time of it looks again so often.
LOOK_AGAIN_S = 60.0


class LocalQueue:
    """A JobQueue, see there. Made by ``open_local``. Held jobs are in a book of their own."""

    def __init__(self, floor: Floor, kept: Book, held: Book, clock: Callable[[], float]) -> None:
        self._floor = floor
        self._kept = kept
        self._held = held
        self._held_ids: set[str] = set()
        self._clock = clock
        self._telling: set[Live] = set()
        self._told = trio.Event()
        self._noticed = trio.Event()
        self._hands = Hands(floor, clock, self._hear, self._notice)

    async def submit(self, job: Job) -> bool:
        if not job.durable and await self._kept.journal.run(partial(pages.has, job_id=job.id)):
            return False
        if await self._floor.find(job.id) is not None or job.id in self._held_ids:
            return False
        book = self._kept if job.durable else self._held
        # From here on to its place there is no await: so the bound is exact.
        refusal = self._floor.refusal(job)
        if refusal is not None:
            if await book.journal.run(partial(pages.has, job_id=job.id)):
                return False
            raise refusal
        with self._floor.entrance(job):
            now_s = self._clock()
            row = await book.journal.run(partial(ledger.insert, job=job, now_s=now_s))
            if row is None:
                return False
            if not job.durable:
                self._held_ids.add(job.id)
            self._floor.enter(Live(replace(job, work=""), book, row, now_s))
        return True

    async def standing(self, job_id: str) -> Standing:
        journal = (await self._book(job_id)).journal
        return self._placed(await journal.run(partial(pages.standing, job_id=job_id)))

    async def list(
        self, *, client: str | None = None, after: str = "", limit: int = 100
    ) -> Sequence[Standing]:
        """Durable jobs, the newest first, without their work: those older than ``after``.

        Raises UnknownJob if there is none of that id.
        """
        page = partial(pages.listed, client=client, after=after, limit=limit)
        return tuple(map(self._placed, await self._kept.journal.run(page)))

    @asynccontextmanager
    async def events(self, job_id: str, *, after: int = 0) -> AsyncIterator[AsyncIterator[Event]]:
        await self._expect(job_id)
        async with aclosing(self._events(job_id, after)) as events:
            yield events

    async def result(self, job_id: str) -> bytes:
        journal = (await self._book(job_id)).journal
        return await journal.run(partial(pages.result, job_id=job_id))

    async def cancel(self, job_id: str) -> bool:
        live = await self._floor.find(job_id)
        if live is None:
            await self._expect(job_id)
            return False
        scope = live.scope
        if not await self._hands.end(live, Outcome("cancelled")):
            return False
        scope.cancel()
        return True

    async def forget(self, job_id: str) -> None:
        while True:
            await self.cancel(job_id)
            journal = (await self._book(job_id)).journal
            if await journal.run(partial(ledger.delete, job_id=job_id)):
                self._held_ids.discard(job_id)
                return
            # It was deleted and came again meanwhile.

    async def ended(self, *, before_s: float, limit: int = 100) -> Sequence[str]:
        most = self._floor.bounds.ended_max
        page = partial(pages.ended, before_s=before_s, ended_max=most, limit=limit)
        held = await self._held.journal.run(page)
        return (*held, *await self._kept.journal.run(page))[:limit]

    async def stats(self) -> Stats:
        await trio.lowlevel.checkpoint()
        return self._floor.stats(now_s=self._clock())

    async def work(
        self,
        handler: Handler,
        *,
        slots: int,
        lanes: Collection[str] | None = None,
        leisure: Leisure = trio.lowlevel.checkpoint,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        work = partial(self._hands.work, handler, slots=slots, lanes=lanes, leisure=leisure)
        await work(task_status=task_status)

    async def take_notice(self, *, lease_s: float) -> Notice:
        while True:
            noticed = self._noticed
            take = partial(ledger.take_notice, now_s=self._clock(), lease_s=lease_s)
            found = await self._kept.journal.run(take)
            if isinstance(found, Notice):
                return found
            due_s = LOOK_AGAIN_S if found is None else max(0.0, found - self._clock())
            with trio.move_on_after(min(due_s, LOOK_AGAIN_S)):
                await noticed.wait()

    async def settle(self, notice: Notice, *, again_s: float | None = None) -> None:
        await self._kept.journal.run(partial(ledger.settle, notice=notice, again_s=again_s))
        self._notice()

    async def restore(self) -> None:
        """Have those wait again that an earlier process has left; who was at work goes first."""
        left = await self._kept.journal.run(pages.left)
        for one in left:
            if not one.running:
                self._floor.enter(self._alive(one))
        for one in reversed(left):
            if one.running:
                self._floor.enter(self._alive(one), first=True)

    async def write(self) -> None:
        """Write down what is told; what cannot be written now is tried again."""
        while True:
            await self._told.wait()
            self._told = trio.Event()
            pause_s = TELL_EVERY_S
            for book in (self._kept, self._held):
                telling = [live for live in self._telling if live.book is book]
                try:
                    await write_told(book, telling)
                except UNWRITTEN as error:
                    log.warning("events of jobs are not written yet: %s", error.message)
                    pause_s = REFUSED_S
            self._telling = {live for live in self._telling if live.backlog and not live.over}
            if self._telling:  # progress whose time has not come
                self._told.set()
            await trio.sleep(pause_s)

    async def _events(self, job_id: str, after: int) -> AsyncGenerator[Event, None]:
        while True:
            live = await self._floor.find(job_id)
            news = None if live is None else live.news
            journal = (await self._book(job_id)).journal
            read = partial(pages.events, job_id=job_id, after=after, limit=EVENTS_AT_ONCE)
            page, ended = await journal.run(read)
            for event in page:
                yield event
                after = event.number
                if event.kind in ENDED:
                    return
            if not page:
                if ended:
                    return
                if news is not None:
                    await news.wait()

    async def _expect(self, job_id: str) -> None:
        journal = (await self._book(job_id)).journal
        await journal.run(partial(pages.row_of, job_id=job_id))

    async def _book(self, job_id: str) -> Book:
        await self._floor.find(job_id)
        return self._held if job_id in self._held_ids else self._kept

    def _alive(self, left: Left) -> Live:
        return Live(left.job, self._kept, left.row, left.submitted_s, left.tries, left.number)

    def _placed(self, standing: Standing) -> Standing:
        place = self._floor.place(standing.job.id)
        if place is not None:
            return replace(standing, state="queued", place=place)
        if standing.state == "queued":  # it has just been taken
            return replace(standing, place=1)
        return standing

    def _hear(self, live: Live) -> None:
        self._telling.add(live)
        self._told.set()

    def _notice(self) -> None:
        self._noticed.set()
        self._noticed = trio.Event()


@asynccontextmanager
async def open_local(
    bounds: Bounds, journal: Journal | None, *, clock: Callable[[], float] = time
) -> AsyncIterator[LocalQueue]:
    """The queue of a journal, with what an earlier process has left in it.

    Without a journal nothing outlasts the context. ``clock`` tells Unix time. Raises StorageFull,
    or JournalFailed.
    """
    with memory_journal() as held, nullcontext(journal) if journal else memory_journal() as kept:
        for one in (held, kept):
            one.add_schema(ledger.SCHEMA)
        queue = LocalQueue(Floor(bounds), Book(kept), Book(held), clock)
        await queue.restore()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.write)
            yield queue
            nursery.cancel_scope.cancel()
