"""The keep in a file, where that is slow, full, or fails: nobody who works waits for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar, cast

import trio

from asr.actors.jobs.local.journal import JournalFailed, memory_journal
from asr.actors.stages import sqlite_entries
from tests.actors.stages.test_sqlite_keep import names, opened, put

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Mapping

    import pytest

    from asr.actors.jobs.local.journal import Journal
    from asr.actors.stages.sqlite_entries import Change, Written

T = TypeVar("T")


async def test_nobody_waits_for_what_has_to_leave(monkeypatch: pytest.MonkeyPatch) -> None:
    write = sqlite_entries.write

    def never_done(
        changes: Mapping[str, Change],
        known: int | None,
        bytes_max: int,
        connection: sqlite3.Connection,
    ) -> Written:
        return write(changes, known, bytes_max, connection)._replace(too_many=True)

    monkeypatch.setattr(sqlite_entries, "write", never_done)
    with trio.fail_after(20):
        async with opened() as keep:
            put(keep, "a", job="job")
            await keep.flush()
            await keep.release("job")
            await keep.drop_job("job")
            assert await names(keep, "a") == ""


class Trouble:
    """A journal whose disk fails, or hangs, while that is wanted."""

    def __init__(self, journal: Journal) -> None:
        self.fails = False
        self.hangs = False
        self.add_schema = journal.add_schema
        self._journal = journal

    async def run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self.hangs:
            await trio.sleep_forever()
        if self.fails:
            raise JournalFailed
        return await self._journal.run(work)


async def test_a_disk_that_fails_costs_entries_and_nothing_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with memory_journal() as journal:
        disk = Trouble(journal)
        async with opened(journal=cast("Journal", disk)) as keep:
            put(keep, "a")
            await keep.flush()
            disk.fails = True
            put(keep, "b")
            await keep.flush()
            assert await names(keep, "a", "b") == ""
            await keep.release("job")
            await keep.drop_job("job")
            await keep.flush()
            disk.fails = False
            put(keep, "c")
            await keep.flush()
            assert await names(keep, *"abc") == "a c"
    assert "not kept at the moment" in caplog.text


async def test_a_disk_that_hangs_holds_up_nobody_who_puts(autojump_clock: trio.abc.Clock) -> None:
    with memory_journal() as journal:
        disk = Trouble(journal)
        disk.hangs = True
        async with opened(journal=cast("Journal", disk)) as keep:
            put(keep, "a")
            assert await names(keep, "a") == "a"
