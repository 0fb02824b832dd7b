"""What is dropped from the keep in a file is not counted any more, and may come back."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, TypeVar, cast

import trio
import trio.testing

from asr.actors.jobs.local.journal import memory_journal
from asr.actors.stages import sqlite_entries
from asr.actors.stages.sqlite_entries import ROW_BYTES
from asr.actors.stages.sqlite_keep import open_sqlite_keep

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable

    from asr.actors.jobs.local.journal import Journal

T = TypeVar("T")

ENTRY = 1000 + ROW_BYTES


class Crossing:
    """A journal in which, once, a drop is done after a write was begun and before it is done."""

    def __init__(self, journal: Journal) -> None:
        self.add_schema = journal.add_schema
        self.cross = False
        self._journal = journal
        self._writing, self._dropped = trio.Event(), trio.Event()

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        what = getattr(work, "func", None)
        if self.cross and what is sqlite_entries.write:
            self._writing.set()
            await self._dropped.wait()
        if self.cross and what is sqlite_entries.drop:
            await self._writing.wait()
            dropped = await self._journal.run(work)
            self.cross = False
            self._dropped.set()
            return dropped
        return await self._journal.run(work)


class Slow:
    """A journal to which, during each transaction, something new comes."""

    def __init__(self, journal: Journal, come: Callable[[], None]) -> None:
        self.add_schema = journal.add_schema
        self._journal = journal
        self._come = come

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        self._come()
        return await self._journal.run(work)


async def test_who_waits_for_what_was_put_does_not_wait_for_what_comes_later() -> None:
    number = count()

    def come() -> None:
        keep.put(f"{next(number)}", b"x")

    with memory_journal() as journal:
        slow = cast("Journal", Slow(journal, come))
        with trio.move_on_after(10) as patience:
            async with open_sqlite_keep(slow, 1_000_000) as keep:
                keep.put("a", b"x", job="j")
                await keep.flush()
                await keep.release("j")
                assert next(number) > 0
        assert not patience.cancelled_caught


async def test_a_job_that_is_dropped_while_others_are_written_is_not_counted() -> None:
    with memory_journal() as journal:
        crossing = Crossing(journal)
        async with open_sqlite_keep(cast("Journal", crossing), 3 * ENTRY) as keep:
            keep.put("a", b"x" * 1000, job="j")
            await keep.flush()
            crossing.cross = True
            async with trio.open_nursery() as nursery:
                nursery.start_soon(keep.drop_job, "j")
                await trio.testing.wait_all_tasks_blocked()
                keep.put("b", b"x" * 1000)
            for key in ("c", "d"):
                keep.put(key, b"x" * 1000)
            await keep.flush()
            assert sorted(await keep.get("abcd")) == ["b", "c", "d"]


async def test_a_job_that_comes_again_under_an_id_that_was_dropped_has_what_it_puts() -> None:
    with memory_journal() as journal:
        async with open_sqlite_keep(journal, 0) as keep:
            keep.put("a", b"x", job="j")
            await keep.release("j")
            await keep.drop_job("j")
            keep.put("late", b"x", job="j")  # nobody's, so it is not kept
            keep.begin("j")
            keep.put("b", b"x", job="j")
            await keep.flush()
            assert sorted(await keep.get(["a", "late", "b"])) == ["b"]
