"""What the functions of the queue are given and give, as the queue's values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, cast

from asr.actors.jobs.queue import Event, Job, Standing, State
from asr.actors.turns import Priority

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

# What a worker has to have for a job of any lane.
ALL_LANES = "*"


def lanes_of(lanes: Collection[str] | None) -> str:
    """Lanes so that one can be found by the line breaks around it."""
    return ALL_LANES if lanes is None else "\n".join(("", *sorted(lanes), ""))


def job_of(job_id: str, words: Sequence[bytes], work: bytes) -> Job:
    """A job, by the fields that ``taken`` and ``stood`` begin with."""
    client, lane, priority, durable, webhook, label, created_s = (
        word.decode() for word in words[:7]
    )
    return Job(
        job_id,
        work.decode(),
        client=client,
        lane=lane,
        priority=Priority(int(priority)),
        durable=durable == "1",
        webhook=webhook or None,
        label=json.loads(label),
        created_s=float(created_s),
    )


def standing_of(words: Sequence[bytes]) -> Standing:
    """How a job stands, as ``stood`` says it."""
    state, tries, started, ended, progress, failure, place, work, job_id = words[7:]
    return Standing(
        job_of(job_id.decode(), words, work),
        cast("State", state.decode()),
        place=int(place) if place else None,
        tries=int(tries),
        started_s=float(started) if started else None,
        ended_s=float(ended) if ended else None,
        progress=json.loads(progress or b"{}"),
        failure=json.loads(failure) if failure else None,
    )


def events_of(told: Sequence[Sequence[bytes]]) -> list[Event]:
    """Events, as ``events`` says them."""
    return [Event(int(number), kind.decode(), json.loads(data)) for number, kind, data in told]


def told_of(words: Sequence[bytes]) -> dict[str, int]:
    """How many events of each kind: a hash, as Redis lists it."""
    return {kind.decode(): int(count) for kind, count in zip(words[::2], words[1::2], strict=True)}
