"""A job that has not ended, as long as this process has it; and the book that its rows are in."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.jobs.local import ledger
from asr.actors.jobs.local.ledger import NewEvent
from asr.actors.jobs.queue import dumped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from sqlite3 import Connection

    from asr.actors.jobs.local.journal import Journal
    from asr.actors.jobs.queue import Job
    from asr.actors.turns import Priority

PROGRESS = "progress"
PROGRESS_EVERY_S = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Book:
    """Where jobs are written down. Who writes of a job that lives has the book's ``turn``."""

    journal: Journal
    turn: trio.Lock = field(default_factory=trio.Lock)


@dataclass(eq=False, slots=True)
class Live:
    """A job that waits or runs. ``job`` is without its work, which stays in the book.

    ``number`` is that of its last event in the book; ``news`` is set, and another one put in its
    place, whenever there are more. ``scope`` is that of its run.
    """

    job: Job
    book: Book
    row: int
    submitted_s: float
    tries: int = 0
    number: int = 0
    waits: bool = True
    over: bool = False
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    news: trio.Event = field(default_factory=trio.Event)
    _told: list[NewEvent] = field(default_factory=list)
    _progress: NewEvent | None = None
    _progress_s: float = float("-inf")  # when one was last written

    @property
    def client(self) -> str:
        return self.job.client

    @property
    def priority(self) -> Priority:
        return self.job.priority

    @property
    def gone(self) -> bool:
        return self.over

    @property
    def backlog(self) -> int:
        """How many events were told that are not in the book."""
        return len(self._told) + (self._progress is not None)

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """Remember an event until it is written; of progress only the latest."""
        told = NewEvent(kind, dumped(data))
        if kind == PROGRESS:
            self._progress = told
        else:
            self._told.append(told)

    def forget_told(self) -> None:
        """What is not in the book was never told: the next try tells it again."""
        self._told.clear()
        self._progress = None

    def due(self, *, last: bool = False) -> tuple[NewEvent, ...]:
        """What to write now: progress only now and then, or if nothing else will be written."""
        progress = self._progress
        now_s = trio.current_time()
        if progress is None or not (last or now_s - self._progress_s >= PROGRESS_EVERY_S):
            return tuple(self._told)
        return (*self._told, progress)

    def written(self, told: Sequence[NewEvent]) -> None:
        """So much of what was due is in the book: say that there is something to read."""
        if not told:
            return
        self.number += len(told)
        del self._told[: sum(one.kind != PROGRESS for one in told)]
        if told[-1].kind == PROGRESS:
            self._progress_s = trio.current_time()
            if self._progress is told[-1]:  # and no later one was told meanwhile
                self._progress = None
        self.announce()

    def announce(self) -> None:
        """Those who listen look into the book again."""
        self.news.set()
        self.news = trio.Event()


async def write_told(book: Book, lives: Sequence[Live]) -> None:
    """Write what these jobs have told, in one transaction. Raises what UNWRITTEN has."""
    async with book.turn:
        batch = {live: live.due() for live in lives if not live.over}
        rows = [(live.row, live.number, told) for live, told in batch.items() if told]
        if rows:
            await book.journal.run(partial(_add_all, rows=rows))
        for live, told in batch.items():
            live.written(told)


def _add_all(db: Connection, *, rows: Sequence[tuple[int, int, tuple[NewEvent, ...]]]) -> None:
    for row, number, told in rows:
        ledger.add(db, row, number, told)
