"""Examples of jobs, made by what makes the answers."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from asr.actors.jobs.order import Order
from asr.actors.jobs.queue import ENDED, Event, Job, Poison, Standing, State
from asr.actors.turns import Priority
from asr.http.job_events import numbered
from asr.http.job_object import ending, job_object
from asr.http.reference.examples import example, transcript
from asr.pipeline.formats import asr_json, diarized_json, verbose_json
from asr.pipeline.records import dump_error
from asr.pipeline.types import Options

if TYPE_CHECKING:
    from asr.http.reference.examples import Examples

ID = "job_5f1d3c8e9a2b4c6d8e0f1a2b3c4d5e6f"
BEGAN_S = 1_790_000_000.0
WEEK_S = 604_800.0
DELETED = {"id": ID, "object": "job", "deleted": True}

PROGRESS = {
    "state": "transcribing",
    "place": None,
    "done_s": 1.5,
    "audio_s": 3.5,
    "left_s": 0.8,
}
FINISHED: dict[str, Any] = {
    **PROGRESS,
    "state": "finished",
    "done_s": 3.5,
    "left_s": 0.0,
    "language": "en",
    "warnings": [],
    "stages": {"queue": 0.002, "read": 0.03, "speech": 0.11, "decode": 0.9},
}


def standing(state: State) -> Standing:
    """How a job may stand."""
    order = Order(Options(diarize=True), "base", name="talk.mp3")
    label = order.label(Priority.BATCH)
    waits = Standing(Job(ID, "", label=label, created_s=BEGAN_S), "queued", place=3)
    if state == "queued":
        return waits
    runs = replace(waits, state=state, place=None, tries=1, started_s=BEGAN_S + 40)
    if state == "running":
        return replace(runs, progress=PROGRESS)
    ended = replace(runs, ended_s=BEGAN_S + 41.2, progress=PROGRESS)
    if state == "failed":
        return replace(ended, tries=3, failure=dump_error(Poison()))
    return replace(ended, progress=FINISHED) if state == "done" else ended


def queued() -> dict[str, Any]:
    """A job that was just made."""
    return job_object(standing("queued"), keep_s=WEEK_S)


def by_state() -> dict[str, dict[str, Any]]:
    """A job in each state."""
    states: tuple[State, ...] = ("queued", "running", *ENDED)
    return {state: job_object(standing(state), keep_s=WEEK_S) for state in states}


def listed() -> dict[str, Any]:
    """What a list may be."""
    return {"object": "list", "data": [queued(), by_state()["done"]], "has_more": False}


def results() -> Examples:
    """Objects of results."""
    return {
        "json": example(asr_json(transcript(), listed=False), "format=json"),
        "verbose_json": example(
            verbose_json(transcript(), ["word", "segment"]), "format=verbose_json"
        ),
        "diarized_json": example(diarized_json(transcript()), "format=diarized_json"),
    }


def streams() -> Examples:
    """The events of jobs that end in each way."""
    begun: list[tuple[str, dict[str, Any]]] = [
        ("queued", {"place": 3}),
        ("started", {"tries": 1}),
        ("progress", PROGRESS),
    ]
    heard: list[tuple[str, dict[str, Any]]] = [
        ("segment", {"index": 0, "start": 0.0, "end": 1.5, "text": " Hello there."}),
        ("progress", FINISHED),
    ]
    told = {"done": [*begun, *heard], "failed": begun, "cancelled": begun[:1]}
    return {
        state: example(
            "".join(
                numbered(Event(number, kind), data)
                for number, (kind, data) in enumerate(
                    [*told[state], (state, ending(standing(state)))], 1
                )
            )
        )
        for state in ENDED
    }
