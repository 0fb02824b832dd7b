"""The keep in a file: what is put is there, also afterwards, within its bounds."""

from __future__ import annotations

import random
import sqlite3
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from asr.actors.jobs.local.journal import memory_journal, open_journal
from asr.actors.stages import sqlite_entries, sqlite_keep
from asr.actors.stages.sqlite_entries import ROW_BYTES
from asr.actors.stages.sqlite_keep import SqliteKeep, open_sqlite_keep

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest

    from asr.actors.jobs.local.journal import Journal

T = TypeVar("T")

MB = 1_000_000
ENTRY = 1000 + ROW_BYTES  # what one of the test's entries takes


async def names(keep: SqliteKeep, *keys: str, job: str = "") -> str:
    return " ".join(sorted(await keep.get(keys, job=job)))


def put(keep: SqliteKeep, *keys: str, job: str = "") -> None:
    for key in keys:
        keep.put(key, key.encode() * 1000, job=job)


async def evicted(keep: SqliteKeep) -> None:
    """What is too much has left."""
    while keep._too_many:
        await keep._wrote.wait()


@asynccontextmanager
async def opened(bytes_max: int = MB, journal: Journal | None = None) -> AsyncIterator[SqliteKeep]:
    with nullcontext(journal) if journal else memory_journal() as kept_in:
        async with open_sqlite_keep(kept_in, bytes_max) as keep:
            yield keep


async def test_what_was_put_is_there_at_once_and_when_it_is_written() -> None:
    async with opened() as keep:
        keep.put("a", b"1")
        assert await keep.get(["a", "b"]) == {"a": b"1"}
        await keep.flush()
        assert await keep.get(["a", "b"]) == {"a": b"1"}


async def test_what_was_put_is_there_after_a_restart(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal, opened(journal=journal) as keep:
        keep.put("a", b"1")  # and no flush: leaving is one
    async with open_journal(tmp_path) as journal, opened(journal=journal) as keep:
        assert await keep.get(["a"]) == {"a": b"1"}


async def test_what_was_flushed_is_there_after_a_crash(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal, opened(journal=journal) as keep:
        keep.put("a", b"1")
        await keep.flush()
        with sqlite3.connect(tmp_path / "jobs.sqlite3") as other:
            assert other.execute("SELECT key, value FROM stage_entries").fetchall() == [("a", b"1")]
        other.close()


async def test_what_was_put_again_replaces_what_was_there() -> None:
    async with opened() as keep:
        for value in (b"damaged", b"whole"):
            keep.put("a", value)
            await keep.flush()
        assert await keep.get(["a"]) == {"a": b"whole"}


async def test_what_was_not_used_for_the_longest_leaves_first() -> None:
    async with opened(3 * ENTRY) as keep:
        for key in "abc":
            put(keep, key)
            await keep.flush()
        await keep.get(["a"])
        await keep.flush()
        put(keep, "d")
        await keep.flush()
        assert await names(keep, *"abcd") == "a c d"


async def test_more_than_there_is_room_for_leaves_at_the_start(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal, opened(journal=journal) as keep:
        put(keep, *map(str, range(10)))
    async with open_journal(tmp_path) as journal, opened(2 * ENTRY, journal) as keep:
        await evicted(keep)
        assert len(await keep.get([*map(str, range(10))])) == 2


async def test_more_than_leaves_at_a_time_leaves_all_the_same(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sqlite_entries, "WRITE_ROWS", 3)
    async with open_journal(tmp_path) as journal, opened(journal=journal) as keep:
        put(keep, *map(str, range(10)))
    async with open_journal(tmp_path) as journal, opened(ENTRY, journal) as keep:
        await evicted(keep)
        assert len(await keep.get([*map(str, range(10))])) == 1


async def test_what_a_job_has_stays_until_that_is_over() -> None:
    async with opened(2 * ENTRY) as keep:
        put(keep, *"abc", job="job")
        await keep.flush()
        put(keep, *"xyz")
        await keep.flush()
        assert await names(keep, *"abcxyz") == "a b c"
        await keep.release("job")
        await evicted(keep)
        assert await names(keep, *"abcxyz") == "b c"


async def test_what_a_job_has_read_stays_until_that_is_over() -> None:
    async with opened(2 * ENTRY) as keep:
        put(keep, "a", "b")
        await keep.flush()
        assert await names(keep, "a", job="job") == "a"
        await keep.flush()
        put(keep, "c", "d")
        await keep.flush()
        assert "a" in await keep.get([*"abcd"])


async def test_what_two_jobs_have_stays_for_either() -> None:
    async with opened(0) as keep:
        put(keep, "a", job="one")
        await keep.get(["a"], job="two")
        await keep.release("one")
        await evicted(keep)
        assert await names(keep, "a") == "a"
        await keep.release("two")
        await evicted(keep)
        assert await names(keep, "a") == ""


async def test_without_a_cache_only_jobs_have_entries() -> None:
    async with opened(0) as keep:
        assert not keep.wants("")
        assert keep.wants("job")
        put(keep, "a")
        put(keep, "b", job="job")
        await keep.flush()
        assert await names(keep, "a", "b") == "b"


async def test_what_a_job_puts_when_it_is_over_is_like_anything_else() -> None:
    async with opened(0) as keep:
        await keep.release("job")
        put(keep, "a", job="job")
        await keep.flush()
        assert await names(keep, "a") == ""


async def test_a_deleted_job_takes_with_it_what_no_other_has() -> None:
    async with opened() as keep:
        put(keep, "a", "b", "c", job="one")
        await keep.release("one")
        await keep.get(["b"], job="two")
        put(keep, "d")
        await keep.drop_job("one")
        assert await names(keep, *"abcd") == "b d"


async def test_deleting_makes_room(tmp_path: Path) -> None:
    async with opened(2 * ENTRY) as keep:
        put(keep, "a", "b", job="one")
        await keep.flush()
        await keep.drop_job("one")
        put(keep, "c", "d")
        await keep.flush()
        assert await names(keep, *"abcd") == "c d"


async def test_a_job_that_begins_again_after_its_end_is_at_work_again(tmp_path: Path) -> None:
    async with open_journal(tmp_path) as journal, opened(journal=journal) as keep:
        put(keep, "a", job="job")
        await keep.release("job")
    async with open_journal(tmp_path) as journal, opened(0, journal) as keep:
        await evicted(keep)
        put(keep, "a", job="job")
        await keep.flush()
        assert await names(keep, "a") == "a"


async def test_what_waits_for_the_disk_is_bounded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sqlite_keep, "WAITING_BYTES_MAX", 2500)
    async with opened() as keep:
        put(keep, *"abcd")
        await keep.flush()
        assert await names(keep, *"abcd") == "a b"
        put(keep, "c")
        await keep.flush()
        assert await names(keep, *"abcd") == "a b c"
    assert [record.message for record in caplog.records] == [
        "results come faster than they can be written: some are not kept"
    ]


async def test_many_entries_are_found_at_once() -> None:
    async with opened() as keep:
        keys = [f"key {number}" for number in range(1201)]
        for key in keys:
            keep.put(key, key.encode())
        await keep.flush()
        assert await keep.get(keys) == {key: key.encode() for key in keys}


async def test_a_thousand_changes_in_any_order_leave_what_they_should() -> None:
    """Against the same said in a few lines: entries, and jobs that hold them."""
    chance = random.Random(8)
    entries: dict[str, set[str]] = {}  # with jobs at work
    had: dict[str, set[str]] = {}  # by jobs, over or not
    async with opened(100 * ENTRY) as keep:
        work = partial(chance.choice, ["put", "put", "get", "release", "drop"])
        for number in range(1000):
            key, job = chance.choice("abcdefgh"), f"job{number // 10}"
            match work():
                case "put":
                    put(keep, key, job=job)
                    entries.setdefault(key, set()).add(job)
                    had.setdefault(key, set()).add(job)
                case "get":
                    if await keep.get([key], job=job):
                        had[key].add(job)
                case "release":
                    await keep.release(f"job{number // 10 - 1}")
                case "drop":
                    gone = f"job{number // 10 - 1}"
                    await keep.drop_job(gone)
                    for each in [each for each, jobs in had.items() if jobs == {gone}]:
                        del entries[each], had[each]
                    for jobs in had.values():
                        jobs.discard(gone)
            assert await names(keep, *"abcdefgh") == " ".join(sorted(entries))
