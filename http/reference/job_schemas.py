"""What the objects of jobs hold, and their events: a JSON schema for each."""

from __future__ import annotations

from typing import Any

from asr.actors.jobs.queue import ENDED, STATES
from asr.http.reference.kinds import (
    Schema,
    integer,
    listing,
    number,
    one_of,
    or_null,
    record,
    ref,
    seconds,
    string,
    times,
)
from asr.pipeline.waveform import PEAKS_MAX

KINDS = ("queued", "started", "progress", "waveform", "segment", *ENDED, "error")


def job_schemas(transcript: Schema) -> dict[str, Schema]:
    """All of them; ``transcript`` is the schema of /asr's object."""
    logprobs = {"logprobs": listing(ref("Logprob"), "If the job was asked to keep them")}
    whole: Schema = {
        **transcript,
        "description": "format=json: as /asr has it.",
        "properties": transcript["properties"] | logprobs,
    }
    return {
        "Job": _job(),
        "Jobs": record(
            "Some jobs, the newest first.",
            object={"const": "list"},
            data=listing(ref("Job")),
            has_more={"type": "boolean", "description": "Whether there are older ones"},
        ),
        "DeletedJob": record(
            "There is nothing left of it.",
            id=string(),
            object={"const": "job"},
            deleted={"const": True},
        ),
        "JobTranscript": whole,
        **_events(),
    }


def _job() -> Schema:
    unix = "in seconds since 1970"
    return record(
        "A job, and how it stands.",
        id=string(),
        object={"const": "job"},
        state=string(enum=list(STATES)),
        created_at=number(f"When it was made, {unix}", minimum=0),
        started_at=or_null(number(f"When work on it began, {unix}", minimum=0)),
        ended_at=or_null(number(f"When it ended, {unix}", minimum=0)),
        expires_at=or_null(number(f"When it will be deleted, {unix}", minimum=0)),
        place=or_null(integer("Its place in the line, while it waits", least=1)),
        tries=integer("How often it was begun: more than once if a server was lost over it"),
        done_s=seconds("How far the audio is done"),
        audio_s=or_null(seconds("How long the audio is, once it has been read")),
        left_s=or_null(number("Seconds that it may still take, while it runs", minimum=0)),
        language=or_null(string("What is spoken; until that is known, what was asked for")),
        model=string(),
        task=string(enum=["transcribe", "translate"]),
        file_name=string("The client's own"),
        diarize={"type": "boolean", "description": "Whether speakers are told apart"},
        priority=string(enum=["interactive", "batch"]),
        stages=_stages(),
        warnings=listing(string(), "What was asked for and not done, and why"),
        error={"anyOf": [_error(), {"type": "null"}], "description": "Why it failed"},
    )


def _stages() -> Schema:
    return {
        "type": "object",
        "description": "What its stages took, in seconds, once it is done",
        "additionalProperties": {"type": "number", "minimum": 0},
    }


def _error() -> Schema:
    nothing_or_text = {"type": ["string", "null"]}
    return record(
        "What went wrong, for people and for programs.",
        message=string("For people"),
        type=string(),
        param=nothing_or_text,
        code=nothing_or_text,
    )


def _events() -> dict[str, Schema]:
    names = tuple(f"Job{kind.title()}" for kind in KINDS if kind != "error")
    return {
        "JobEvent": record(
            "One event of a job.",
            ["id"],
            id=string("Its number: from 1, without gaps", pattern="^[0-9]+$"),
            event=string(enum=list(KINDS)),
            data=string(
                contentMediaType="application/json",
                contentSchema=one_of(*names, "OpenAIError"),
            ),
        ),
        "JobQueued": record("It waits.", ["place"], place=_place()),
        "JobStarted": record("Work on it has begun, or has begun again.", tries=integer(least=1)),
        "JobProgress": _progress(),
        "JobWaveform": record(
            "What the audio looks like: how far its samples reach in each of equal stretches.",
            duration=seconds("How long the audio is"),
            peaks=listing(integer("0 to 127")) | {"maxItems": PEAKS_MAX},
        ),
        "JobSegment": record(
            "More of the text, in order. Who says it is known at the end, in the result.",
            index=integer("From 0, without gaps"),
            **times(),
            text=string("With its leading space"),
        ),
        "JobDone": record(
            "It is done: ask for the result.",
            duration=seconds("How long the audio is"),
            language=string("The code of what was spoken"),
            stages=_stages(),
            warnings=listing(string(), "What was asked for and not done, and why"),
        ),
        "JobFailed": record("It failed.", error=_error()),
        "JobCancelled": {"type": "object", "description": "Somebody ended it.", "maxProperties": 0},
    }


def _place() -> dict[str, Any]:
    return or_null(integer("Its place in the line", least=1))


def _progress() -> Schema:
    return record(
        "How far it is. Of these only the latest is sure to be told.",
        ["place", "done_s", "audio_s", "left_s", "language", "stages", "warnings"],
        state=string(enum=["queued", "reading", "transcribing", "finished"]),
        place=_place(),
        done_s=seconds("How far the audio is done"),
        audio_s=or_null(seconds("How long the audio is, once it has been read")),
        left_s=or_null(number("Seconds that it may still take", minimum=0)),
        language=string("The code of what was spoken"),
        stages=_stages(),
        warnings=listing(string(), "What was asked for and not done, and why"),
    )
