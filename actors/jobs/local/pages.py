"""What is read of jobs, as SQL. Each function is the work of a transaction; see ``ledger.py``."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from asr.actors.jobs.queue import Event, Job, Standing, UnknownJob
from asr.actors.turns import Priority

if TYPE_CHECKING:
    from collections.abc import Iterable
    from sqlite3 import Connection

LISTED = (
    "id, client, lane, priority, durable, webhook, created_s, label, "
    "state, tries, started_s, ended_s, progress, failure"
)


@dataclass(frozen=True, slots=True)
class Left:
    """A job that has not ended, as it was left behind; ``job`` is without its work."""

    row: int
    job: Job
    submitted_s: float
    running: bool
    tries: int
    number: int


def has(db: Connection, job_id: str) -> bool:
    """Whether there is such a job."""
    return db.execute("SELECT 1 FROM jobs WHERE id = ?", (job_id,)).fetchone() is not None


def row_of(db: Connection, job_id: str) -> int:
    """Where a job is. Raises UnknownJob."""
    found = db.execute("SELECT row FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if found is None:
        raise UnknownJob
    return int(found[0])


def left(db: Connection) -> list[Left]:
    """The jobs that have not ended, as they came."""
    rows = db.execute(
        f"SELECT row, submitted_s, (SELECT max(number) FROM events WHERE job = row), {LISTED} "
        "FROM jobs WHERE ended_s IS NULL ORDER BY row"
    )
    return [
        Left(row, stands.job, submitted_s, stands.state == "running", stands.tries, number or 0)
        for row, submitted_s, number, *listed in rows
        for stands in (_standing(listed),)
    ]


def standing(db: Connection, job_id: str) -> Standing:
    """How a job stands, its work included. Raises UnknownJob."""
    found = db.execute(f"SELECT work, {LISTED} FROM jobs WHERE id = ?", (job_id,)).fetchone()
    if found is None:
        raise UnknownJob
    stands = _standing(found[1:])
    return replace(stands, job=replace(stands.job, work=found[0]))


def listed(db: Connection, *, client: str | None, after: str, limit: int) -> list[Standing]:
    """Jobs, the newest first, without their work. Raises UnknownJob for one to begin after."""
    where, values = ["durable"], list[Any]()
    if client is not None:
        where, values = [*where, "client = ?"], [*values, client]
    if after:
        where, values = [*where, "row < ?"], [*values, row_of(db, after)]
    rows = db.execute(
        f"SELECT {LISTED} FROM jobs WHERE {' AND '.join(where)} ORDER BY row DESC LIMIT ?",
        (*values, limit),
    )
    return [_standing(row) for row in rows]


def events(db: Connection, job_id: str, *, after: int, limit: int) -> tuple[list[Event], bool]:
    """Events that come after that number, and whether the job has ended. Raises UnknownJob."""
    row = row_of(db, job_id)
    rows = db.execute(
        "SELECT number, kind, data FROM events "
        "WHERE job = ? AND number > ? ORDER BY number LIMIT ?",
        (row, after, limit),
    )
    page = [Event(number, kind, json.loads(data)) for number, kind, data in rows]
    ((ended,),) = db.execute("SELECT ended_s IS NOT NULL FROM jobs WHERE row = ?", (row,))
    return page, bool(ended)


def result(db: Connection, job_id: str) -> bytes:
    """What the handler returned. Raises UnknownJob, also for a job that is not done."""
    found = db.execute("SELECT result FROM results WHERE job = ?", (row_of(db, job_id),)).fetchone()
    if found is None:
        raise UnknownJob
    return bytes(found[0])


def ended(db: Connection, *, before_s: float, ended_max: int, limit: int) -> list[str]:
    """Ids of jobs that ended before that time, or are more than are kept: the oldest first."""
    ((old,),) = db.execute("SELECT count(*) FROM jobs WHERE ended_s < ?", (before_s,))
    ((all_,),) = db.execute("SELECT count(*) FROM jobs WHERE ended_s IS NOT NULL")
    rows = db.execute(
        "SELECT id FROM jobs WHERE ended_s IS NOT NULL ORDER BY ended_s, row LIMIT ?",
        (min(limit, max(old, all_ - ended_max)),),
    )
    return [job_id for (job_id,) in rows]


def _standing(row: Iterable[Any]) -> Standing:
    """How a job stands, by the columns that are LISTED; without its work and its place."""
    job_id, client, lane, priority, durable, webhook, created_s, label, *stands = row
    state, tries, started_s, ended_s, progress, failure = stands
    job = Job(
        job_id,
        "",
        client=client,
        lane=lane,
        priority=Priority(priority),
        durable=bool(durable),
        webhook=webhook,
        label=json.loads(label),
        created_s=created_s,
    )
    return Standing(
        job,
        state,
        tries=tries,
        started_s=started_s,
        ended_s=ended_s,
        progress=json.loads(progress),
        failure=None if failure is None else json.loads(failure),
    )
