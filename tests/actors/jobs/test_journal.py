import logging
import sqlite3
import threading
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.jobs.local.journal import (
    DAMAGED,
    FILE,
    VERSION,
    Journal,
    JournalFailed,
    JournalInUse,
    JournalTooNew,
    memory_journal,
    open_journal,
)
from asr.pipeline.errors import StorageFull

TABLE = "CREATE TABLE IF NOT EXISTS notes (text TEXT)"
PAGE_BYTES = 4096


async def note(journal: Journal, text: str) -> None:
    await journal.run(lambda db: db.execute("INSERT INTO notes VALUES (?)", (text,)))


async def notes(journal: Journal) -> list[str]:
    journal.add_schema(TABLE)
    rows = await journal.run(lambda db: db.execute("SELECT text FROM notes").fetchall())
    return [text for (text,) in rows]


def permissions(folder: Path) -> tuple[int, set[int]]:
    """Of a folder, and of the files in it."""
    files = {file.stat().st_mode & 0o777 for file in folder.iterdir()}
    return folder.stat().st_mode & 0o777, files


def read(path: Path) -> bytes:
    return path.read_bytes()


def damage(path: Path, how: str) -> bytes:
    """What the file holds now."""
    whole = path.read_bytes()
    page = b"\xa5" * PAGE_BYTES
    damaged = {
        "junk": b"this is no database " * 1000,
        "cut off": whole[: len(whole) // 2],
        "a page overwritten": whole[: 50 * PAGE_BYTES] + page + whole[51 * PAGE_BYTES :],
        "the first page": page + whole[PAGE_BYTES:],
    }[how]
    path.write_bytes(damaged)
    return damaged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "jobs"


@pytest.fixture
async def filled(folder: Path) -> Path:
    """The file of a journal with so many notes that it has many pages."""
    async with open_journal(folder) as journal:
        journal.add_schema(TABLE)
        await journal.run(
            lambda db: db.executemany("INSERT INTO notes VALUES (?)", [("x" * 3000,)] * 100)
        )
    return folder / FILE


async def test_what_was_written_is_there_the_next_time(folder: Path) -> None:
    async with open_journal(folder) as journal:
        assert await notes(journal) == []
        await note(journal, "one")
    async with open_journal(folder) as journal:
        assert await notes(journal) == ["one"]


async def test_nobody_else_may_look_into_it(folder: Path) -> None:
    async with open_journal(folder) as journal:
        await notes(journal)
        assert permissions(folder) == (0o700, {0o600})


async def test_a_transaction_that_raises_has_changed_nothing(folder: Path) -> None:
    def write_and_fail(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO notes VALUES ('lost')")
        raise LookupError

    async with open_journal(folder) as journal:
        assert await notes(journal) == []
        with pytest.raises(LookupError):
            await journal.run(write_and_fail)
        assert await notes(journal) == []
        await note(journal, "kept")
        assert await notes(journal) == ["kept"]


async def test_what_is_wrong_with_a_statement_is_no_trouble_of_the_disk(folder: Path) -> None:
    async with open_journal(folder) as journal:
        with pytest.raises(sqlite3.OperationalError):
            await journal.run(lambda db: db.execute("SELECT * FROM nowhere"))


async def test_who_is_cancelled_while_waiting_has_written_nothing(folder: Path) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO notes VALUES ('begun')")
        begun.set()
        go_on.wait(10.0)

    async with open_journal(folder) as journal:
        assert await notes(journal) == []
        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal.run, slow)
            await trio.to_thread.run_sync(begun.wait)
            nursery.start_soon(note, journal, "waits")
            await wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
            go_on.set()
        assert await notes(journal) == ["begun"]


async def test_a_folder_has_one_journal_at_a_time(folder: Path) -> None:
    async with open_journal(folder):
        with pytest.raises(JournalInUse):
            async with open_journal(folder):
                pytest.fail("it was opened twice")
    async with open_journal(folder) as journal:
        assert await notes(journal) == []


@pytest.mark.parametrize("how", ["junk", "cut off", "a page overwritten", "the first page"])
async def test_a_damaged_file_is_set_aside_and_another_begun(
    filled: Path, how: str, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = damage(filled, how)
    async with open_journal(filled.parent) as journal:
        assert await notes(journal) == []
        await note(journal, "new")
    assert read(filled.with_name(DAMAGED)) == damaged
    assert [record.levelno for record in caplog.records if "set aside" in record.message] == [
        logging.ERROR
    ]
    async with open_journal(filled.parent) as journal:
        assert await notes(journal) == ["new"]


async def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    (tmp_path / FILE).touch()
    async with open_journal(tmp_path) as journal:
        assert await notes(journal) == []
    assert not (tmp_path / DAMAGED).exists()


async def test_a_file_of_a_later_version_is_left_alone(filled: Path) -> None:
    connection = sqlite3.connect(filled, isolation_level=None)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = read(filled)
    with pytest.raises(JournalTooNew):
        async with open_journal(filled.parent):
            pytest.fail("it was opened")
    assert read(filled) == before


async def test_a_folder_that_cannot_be_made_is_an_error_for_people(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(JournalFailed, match="cannot be read or written") as refused:
        async with open_journal(tmp_path / "file" / "jobs"):
            pytest.fail("it was opened")
    assert str(tmp_path) not in refused.value.message


async def test_a_full_disk_has_its_own_error_and_loses_nothing(folder: Path) -> None:
    async with open_journal(folder) as journal:
        assert await notes(journal) == []
        await note(journal, "one")
        await journal.run(lambda db: db.execute("PRAGMA max_page_count = 3").fetchall())
        with pytest.raises(StorageFull):
            await note(journal, "x" * 100_000)
        assert await notes(journal) == ["one"]
        await journal.run(lambda db: db.execute("PRAGMA max_page_count = 1000").fetchall())
        await note(journal, "x" * 100_000)
        assert len(await notes(journal)) == 2


async def test_another_program_that_writes_is_waited_for_and_then_an_error(filled: Path) -> None:
    async with open_journal(filled.parent) as journal:
        await journal.run(lambda db: db.execute("PRAGMA busy_timeout = 1").fetchall())
        other = sqlite3.connect(filled, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalFailed):
            await note(journal, "one")
        other.execute("ROLLBACK")
        other.close()
        await note(journal, "one")


async def test_a_schema_may_be_added_at_any_time(folder: Path) -> None:
    async with open_journal(folder) as journal:
        journal.add_schema(TABLE)
        await note(journal, "one")
        journal.add_schema("CREATE TABLE more (number); CREATE INDEX most ON more (number)")
        assert await journal.run(lambda db: db.execute("SELECT * FROM more").fetchall()) == []


async def test_a_journal_in_memory_is_gone_with_its_context() -> None:
    for _ in range(2):
        with memory_journal() as journal:
            assert await notes(journal) == []
            await note(journal, "one")
            assert await notes(journal) == ["one"]
