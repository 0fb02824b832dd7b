"""The keep of one machine: tables beside the jobs, in the journal's file.

What is put is written in the background, as much at a time as has come meanwhile. When there is no
room, entries leave that no job at work needs, those first that were not used for the longest.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import trio

from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence

    from asr.actors.jobs.local.journal import Journal

log = logging.getLogger(__name__)

T = TypeVar("T")

# ``used`` counts the transactions: the lower, the longer ago an entry was used. A job that is not
# ``working`` any more keeps its entries from nothing, but is known until it is deleted itself.
SCHEMA = """
CREATE TABLE IF NOT EXISTS stage_entries (
    key TEXT PRIMARY KEY, value BLOB NOT NULL, size INTEGER NOT NULL, used INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS stage_entries_used ON stage_entries (used);
CREATE TABLE IF NOT EXISTS stage_jobs (
    job TEXT NOT NULL, key TEXT NOT NULL, working INTEGER NOT NULL, PRIMARY KEY (job, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stage_jobs_key ON stage_jobs (key);
"""

# Of an entry that is read again: what could not be read is replaced.
WRITE = """
INSERT INTO stage_entries VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, size = excluded.size, used = excluded.used
"""

OWN = """
INSERT INTO stage_jobs SELECT ?, key, 1 FROM stage_entries WHERE key = ?
ON CONFLICT (job, key) DO UPDATE SET working = 1
"""

FREE = """
SELECT key, size FROM stage_entries WHERE NOT EXISTS
    (SELECT 1 FROM stage_jobs WHERE stage_jobs.key = stage_entries.key AND working)
ORDER BY used LIMIT ?
"""

# What no other job has, whatever has become of that.
ALONE = """
SELECT key, size FROM stage_entries WHERE key IN (SELECT key FROM stage_jobs WHERE job = :job)
    AND NOT EXISTS
    (SELECT 1 FROM stage_jobs WHERE stage_jobs.key = stage_entries.key AND job != :job)
"""

ROW_BYTES = 300  # what an entry takes beside its value: its key in four places, more or less

# What waits for the disk: some hours' work. The queue of jobs has the same file, and waits for a
# transaction no longer than so many bytes and rows take.
WAITING_BYTES_MAX = 16 << 20
WAITING_ROWS_MAX = 20_000
WRITE_BYTES = 1 << 20
WRITE_ROWS = 500
READ_ROWS = 500

LAST_WRITE_S = 5.0
RELEASED_MAX = 1000  # jobs that are over, whose work may have something to put all the same


@dataclass(slots=True)
class Change:
    """What is to be written of an entry: a value if it is new, and that these jobs need it."""

    value: bytes | None = None
    jobs: set[str] = field(default_factory=set)


class Written(NamedTuple):
    """The bytes of all entries there are, and whether more of them are to leave."""

    total: int
    too_many: bool


class SqliteKeep:
    """See ``Keep``. Made by ``open_sqlite_keep``."""

    def __init__(self, journal: Journal, bytes_max: int) -> None:
        self._journal = journal
        self._bytes_max = bytes_max
        self._waiting: dict[str, Change] = {}
        self._writing: dict[str, Change] = {}
        self._waiting_bytes = 0
        self._released: deque[str] = deque(maxlen=RELEASED_MAX)
        self._total: int | None = None  # bytes, once they are counted
        self._too_many = True  # there may be more in the file than is wanted by now
        self._overrun = False
        self._wake, self._quiet = trio.Event(), trio.Event()
        self._wake.set()

    def wants(self, job: str) -> bool:
        """Whether anything is kept for this job, or for who has none."""
        return bool(job) or self._bytes_max > 0

    async def get(self, keys: Sequence[str], *, job: str = "") -> Mapping[str, bytes]:
        """The entries that there are."""
        found = {key: value for key in keys if (value := self._on_its_way(key)) is not None}
        asked = [key for key in dict.fromkeys(keys) if key not in found]
        for at in range(0, len(asked), READ_ROWS):
            found |= await self._try(partial(_read, asked[at : at + READ_ROWS])) or {}
        for key in found:
            self._change(key, None, job)
        return found

    def put(self, key: str, value: bytes, *, job: str = "") -> None:
        """Keep an entry, soon."""
        self._change(key, value, job)

    async def flush(self) -> None:
        """Return when what was put is kept, or cannot be."""
        await self._quiet.wait()

    def begin(self, job: str) -> None:
        """A job is worked on: it may have the id of one that was over."""
        with suppress(ValueError):
            self._released.remove(job)

    async def release(self, job: str, *, for_good: bool = False) -> None:
        """A job is over."""
        self._released.append(job)
        await self.flush()
        await self._try(partial(_disown if for_good else _release, job))
        self._too_many = True
        self._rouse()

    async def drop_job(self, job: str) -> None:
        """Delete what only this job has."""
        self._released.append(job)
        await self.flush()
        dropped = await self._try(partial(_drop, job))
        if dropped and self._total is not None:
            self._total -= dropped

    async def write(self) -> None:
        """Write what is put, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake = trio.Event()
            while self._waiting or self._too_many:
                self._writing = self._next()
                before = self._total
                change = partial(_write, self._writing, before, self._bytes_max)
                written = await self._try(change)
                self._writing = {}
                # A job may have been dropped meanwhile.
                dropped = 0 if before is None or self._total is None else before - self._total
                self._total = None if written is None else written.total - dropped
                self._too_many = written is not None and written.too_many
            self._overrun = False
            self._quiet.set()

    def _change(self, key: str, value: bytes | None, job: str) -> None:
        """Have something written of an entry, if that is wanted and there is room."""
        job = "" if job in self._released else job
        if not self.wants(job):
            return
        size = len(value or b"")
        if self._waiting_bytes + size > WAITING_BYTES_MAX or len(self._waiting) >= WAITING_ROWS_MAX:
            if not self._overrun:
                log.warning("results come faster than they can be written: some are not kept")
            self._overrun = True
            return
        change = self._waiting.setdefault(key, Change())
        if value is not None:
            self._waiting_bytes += size - len(change.value or b"")
            change.value = value
        if job:
            change.jobs.add(job)
        self._rouse()

    def _rouse(self) -> None:
        if self._quiet.is_set():
            self._quiet = trio.Event()
        self._wake.set()

    def _next(self) -> dict[str, Change]:
        """What is written next, which waits no more."""
        changes: dict[str, Change] = {}
        size = 0
        while self._waiting and size < WRITE_BYTES and len(changes) < WRITE_ROWS:
            key = next(iter(self._waiting))
            changes[key] = change = self._waiting.pop(key)
            size += len(change.value or b"")
        self._waiting_bytes -= size
        return changes

    def _on_its_way(self, key: str) -> bytes | None:
        changes = (self._waiting.get(key), self._writing.get(key))
        return next((each.value for each in changes if each and each.value is not None), None)

    async def _try(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """What comes of work in the file; None if that cannot be had, which is only slower."""
        try:
            return await self._journal.run(work)
        except AsrError as error:
            log.warning("results of stages are not kept at the moment: %s", error.message)
            return None


@asynccontextmanager
async def open_sqlite_keep(journal: Journal, bytes_max: int) -> AsyncIterator[SqliteKeep]:
    """A keep in a journal's file, for as long as the context lasts; what was put is written then.

    ``bytes_max`` bounds the entries that no job at work needs; 0 keeps none of those.
    """
    journal.add_schema(SCHEMA)
    keep = SqliteKeep(journal, bytes_max)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep.write)
        try:
            yield keep
        finally:
            with trio.move_on_after(LAST_WRITE_S, shield=True):
                await keep.flush()
            nursery.cancel_scope.cancel()


def _read(keys: Sequence[str], connection: sqlite3.Connection) -> dict[str, bytes]:
    marks = ", ".join("?" * len(keys))
    query = f"SELECT key, value FROM stage_entries WHERE key IN ({marks})"
    return dict(connection.execute(query, keys).fetchall())


def _write(
    changes: Mapping[str, Change],
    known: int | None,
    bytes_max: int,
    connection: sqlite3.Connection,
) -> Written:
    total = _count(connection) if known is None else known
    ((used,),) = connection.execute("SELECT COALESCE(MAX(used), 0) + 1 FROM stage_entries")
    for key, change in changes.items():
        if change.value is not None:
            sizes = connection.execute("SELECT size FROM stage_entries WHERE key = ?", (key,))
            size = len(change.value) + ROW_BYTES
            total += size - sum(old for (old,) in sizes)
            connection.execute(WRITE, (key, change.value, size, used))
        else:
            connection.execute("UPDATE stage_entries SET used = ? WHERE key = ?", (used, key))
        connection.executemany(OWN, [(job, key) for job in change.jobs])
    if total <= bytes_max:
        return Written(total, too_many=False)
    free = connection.execute(FREE, (WRITE_ROWS,)).fetchall()
    leaving: list[tuple[str, int]] = []
    for key, size in free:
        if total > bytes_max:
            leaving.append((key, size))
            total -= size
    _delete(leaving, connection)
    return Written(total, too_many=total > bytes_max and len(free) == WRITE_ROWS)


def _count(connection: sqlite3.Connection) -> int:
    """The bytes of all entries."""
    ((total,),) = connection.execute("SELECT COALESCE(SUM(size), 0) FROM stage_entries")
    return int(total)


def _release(job: str, connection: sqlite3.Connection) -> None:
    connection.execute("UPDATE stage_jobs SET working = 0 WHERE job = ? AND working", (job,))


def _disown(job: str, connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM stage_jobs WHERE job = ?", (job,))


def _drop(job: str, connection: sqlite3.Connection) -> int:
    """The bytes that are gone with what only this job had."""
    alone = connection.execute(ALONE, {"job": job}).fetchall()
    _delete(alone, connection)
    connection.execute("DELETE FROM stage_jobs WHERE job = ?", (job,))
    return sum(size for _, size in alone)


def _delete(entries: Iterable[tuple[str, int]], connection: sqlite3.Connection) -> None:
    keys = [(key,) for key, _ in entries]
    connection.executemany("DELETE FROM stage_entries WHERE key = ?", keys)
    connection.executemany("DELETE FROM stage_jobs WHERE key = ?", keys)
