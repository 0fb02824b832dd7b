"""Results of stages as rows: what is read and written of them, as SQL. Each function is the work of
a transaction; ``sqlite_keep.py`` says when.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Mapping, Sequence

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

WRITE_ROWS = 500  # that a transaction writes, or that leave in it, at most


@dataclass(slots=True)
class Change:
    """What is to be written of an entry: a value if it is new, and that these jobs need it."""

    value: bytes | None = None
    jobs: set[str] = field(default_factory=set)


class Written(NamedTuple):
    """The bytes of all entries there are, and whether more of them are to leave."""

    total: int
    too_many: bool


def read(keys: Sequence[str], connection: sqlite3.Connection) -> dict[str, bytes]:
    """The entries of these keys that there are."""
    marks = ", ".join("?" * len(keys))
    query = f"SELECT key, value FROM stage_entries WHERE key IN ({marks})"
    return dict(connection.execute(query, keys).fetchall())


def write(
    changes: Mapping[str, Change],
    known: int | None,
    bytes_max: int,
    connection: sqlite3.Connection,
) -> Written:
    """Write changes; let go of what no job at work needs, as far as there is too much.

    ``known`` are the bytes of all entries, if they are known.
    """
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


def release(job: str, connection: sqlite3.Connection) -> None:
    """A job is over: its entries may leave."""
    connection.execute("UPDATE stage_jobs SET working = 0 WHERE job = ? AND working", (job,))


def disown(job: str, connection: sqlite3.Connection) -> None:
    """A job is over and forgotten: what was its may leave."""
    connection.execute("DELETE FROM stage_jobs WHERE job = ?", (job,))


def drop(job: str, connection: sqlite3.Connection) -> int:
    """The bytes that are gone with what only this job had."""
    alone = connection.execute(ALONE, {"job": job}).fetchall()
    _delete(alone, connection)
    connection.execute("DELETE FROM stage_jobs WHERE job = ?", (job,))
    return sum(size for _, size in alone)


def _delete(entries: Iterable[tuple[str, int]], connection: sqlite3.Connection) -> None:
    keys = [(key,) for key, _ in entries]
    connection.executemany("DELETE FROM stage_entries WHERE key = ?", keys)
    connection.executemany("DELETE FROM stage_jobs WHERE key = ?", keys)
