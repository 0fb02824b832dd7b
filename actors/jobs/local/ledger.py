"""Jobs as rows: what is written of them, as SQL. Each function is the work of a transaction.

``pages.py`` has what is read of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asr.actors.jobs.local.pages import has, row_of
from asr.actors.jobs.queue import (
    FURTHER,
    TRIES_ALL_MAX,
    TRIES_MAX,
    Notice,
    Poison,
    State,
    dumped,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from sqlite3 import Connection

    from asr.actors.jobs.queue import Job

# ``row`` counts jobs as they came. What may be long stands last: SQLite reads a row from its front.
# ``further`` has how far a job had come when a try began, and how many it had lost until then.
SCHEMA = """
CREATE TABLE IF NOT EXISTS jobs (
    row INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    client TEXT NOT NULL,
    lane TEXT NOT NULL,
    priority INTEGER NOT NULL,
    durable INTEGER NOT NULL,
    webhook TEXT,
    created_s REAL NOT NULL,
    submitted_s REAL NOT NULL,
    state TEXT NOT NULL DEFAULT 'queued',
    tries INTEGER NOT NULL DEFAULT 0,
    started_s REAL,
    ended_s REAL,
    label TEXT NOT NULL,
    progress TEXT NOT NULL DEFAULT '{}',
    failure TEXT,
    work TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS jobs_of_client ON jobs (client, row);
CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (ended_s, row) WHERE ended_s IS NOT NULL;
CREATE TABLE IF NOT EXISTS events (
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (job, number)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS further (
    job INTEGER PRIMARY KEY,
    told INTEGER NOT NULL,
    tries INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS results (job INTEGER PRIMARY KEY, result BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS notices (
    job INTEGER PRIMARY KEY,
    attempt INTEGER NOT NULL DEFAULT 0,
    due_s REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS notices_due ON notices (due_s);
"""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no number yet. ``data`` is JSON."""

    kind: str
    data: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends."""

    state: State
    result: bytes | None = None
    failure: Mapping[str, Any] | None = None

    @property
    def event(self) -> NewEvent:
        """The last one of the job."""
        return NewEvent(self.state, dumped({} if self.failure is None else {"error": self.failure}))


def insert(db: Connection, job: Job, *, now_s: float) -> int | None:
    """A new job's row; None if one of this id is here."""
    if has(db, job.id):
        return None
    names = "id, client, lane, priority, durable, webhook, created_s, submitted_s, label, work"
    who = (job.id, job.client, job.lane, job.priority, job.durable, job.webhook)
    values = (*who, job.created_s, now_s, dumped(job.label), job.work)
    marks = ", ".join("?" * len(values))
    return db.execute(f"INSERT INTO jobs ({names}) VALUES ({marks})", values).lastrowid


def begin(db: Connection, row: int, *, tries: int, now_s: float) -> tuple[str, dict[str, int]]:
    """A try begins: what is to be done, and how many events were told so far, by kind.

    Raises Poison if it is one too many.
    """
    told = dict(db.execute("SELECT kind, count(*) FROM events WHERE job = ? GROUP BY kind", (row,)))
    _expect_more(db, row, told.get(FURTHER, 0), lost=tries - 1)
    db.execute(
        "UPDATE jobs SET state = 'running', tries = ?, started_s = coalesce(started_s, ?) "
        "WHERE row = ?",
        (tries, now_s, row),
    )
    ((work,),) = db.execute("SELECT work FROM jobs WHERE row = ?", (row,))
    return work, told


def _expect_more(db: Connection, row: int, told: int, *, lost: int) -> None:
    """Raise Poison for a job that has lost too many tries, in all or since it came further."""
    if lost >= TRIES_ALL_MAX:
        raise Poison
    found = db.execute("SELECT told, tries FROM further WHERE job = ?", (row,)).fetchone()
    before, spared = found or (0, 0)
    if told > before:
        db.execute("REPLACE INTO further VALUES (?, ?, ?)", (row, told, lost))
    elif lost - spared >= TRIES_MAX:
        raise Poison


def add(db: Connection, row: int, after: int, told: Sequence[NewEvent]) -> None:
    """Events that come after the one of this number."""
    numbered = enumerate(told, after + 1)
    db.executemany(
        "INSERT INTO events VALUES (?, ?, ?, ?)",
        ((row, number, one.kind, one.data) for number, one in numbered),
    )
    latest = next((one.data for one in reversed(told) if one.kind == "progress"), None)
    if latest is not None:
        db.execute("UPDATE jobs SET progress = ? WHERE row = ?", (latest, row))


def hand_back(
    db: Connection, row: int, after: int, told: Sequence[NewEvent], *, tries: int
) -> None:
    """A try is over, and the job is not: it waits again."""
    add(db, row, after, told)
    db.execute("UPDATE jobs SET state = 'queued', tries = ? WHERE row = ?", (tries, row))


def end(
    db: Connection,
    row: int,
    after: int,
    told: Sequence[NewEvent],
    outcome: Outcome,
    *,
    now_s: float,
) -> None:
    """A job ends: its last events, the end among them; its result; the notice to its webhook."""
    add(db, row, after, told)
    failure = None if outcome.failure is None else dumped(outcome.failure)
    db.execute(
        "UPDATE jobs SET state = ?, ended_s = ?, failure = ? WHERE row = ?",
        (outcome.state, now_s, failure, row),
    )
    if outcome.result is not None:
        db.execute("INSERT INTO results VALUES (?, ?)", (row, outcome.result))
    db.execute(
        "INSERT INTO notices (job, due_s) "
        "SELECT row, ? FROM jobs WHERE row = ? AND webhook IS NOT NULL",
        (now_s, row),
    )


def delete(db: Connection, job_id: str) -> bool:
    """All there is of a job that has ended; False if it has not. Raises UnknownJob."""
    row = row_of(db, job_id)
    if not db.execute("DELETE FROM jobs WHERE row = ? AND ended_s IS NOT NULL", (row,)).rowcount:
        return False
    for table in ("events", "further", "results", "notices"):
        db.execute(f"DELETE FROM {table} WHERE job = ?", (row,))
    return True


def take_notice(db: Connection, *, now_s: float, lease_s: float) -> Notice | float | None:
    """The notice that has been due for longest, until its lease ends; or when the next one is."""
    found = db.execute(
        "SELECT job, id, webhook, attempt, due_s FROM notices JOIN jobs ON row = job "
        "ORDER BY due_s, job LIMIT 1"
    ).fetchone()
    if found is None:
        return None
    row, job_id, address, attempt, due_s = found
    if due_s > now_s:
        return float(due_s)
    taken = (attempt + 1, now_s + lease_s, row)
    db.execute("UPDATE notices SET attempt = ?, due_s = ? WHERE job = ?", taken)
    return Notice(job_id, address, attempt + 1)


def settle(db: Connection, notice: Notice, *, again_s: float | None) -> None:
    """A notice is given, or is due at that time; unless it has been taken by another since."""
    where = "job = (SELECT row FROM jobs WHERE id = ?)"
    if again_s is None:
        db.execute(f"DELETE FROM notices WHERE {where}", (notice.job_id,))
    else:
        values = (again_s, notice.job_id, notice.attempt)
        db.execute(f"UPDATE notices SET due_s = ? WHERE {where} AND attempt = ?", values)
