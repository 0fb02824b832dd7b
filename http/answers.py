"""What the dialects' answers have in common: bodies of text and JSON, and where warnings go."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import trio
from quart import Response

from asr.actors.trail import note, stage
from asr.pipeline.cues import guesses_times

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from asr.pipeline.cues import Layout
    from asr.pipeline.formats import TextFormat
    from asr.pipeline.types import Transcript

ESTIMATED = "times within subtitles were estimated: the words have none"

# Segments whose object is made in a few milliseconds at most, all words and tokens included.
AT_ONCE_MAX = 50

# What a proxy still takes for a decent header.
HEADER_CHARACTERS_MAX = 4000


def warned(transcript: Transcript, remarks: Sequence[str]) -> Transcript:
    """The transcript with more to say of what was skipped."""
    said = (*transcript.warnings, *remarks)
    note(warnings=len(said))
    return replace(transcript, warnings=said)


async def written(
    transcript: Transcript, style: TextFormat, *, speakers: bool, layout: Layout
) -> str:
    """The transcript as text. To break an hour's lines well takes a second: not on this thread."""
    write = partial(style.write, transcript, speakers=speakers, layout=layout)
    with stage("format"):
        if layout.plain or not style.has_cues:
            return write()
        return await trio.to_thread.run_sync(write, abandon_on_cancel=True)


async def text_answer(
    transcript: Transcript, style: TextFormat, *, speakers: bool, layout: Layout
) -> Response:
    """The transcript as a body of text."""
    body = await written(transcript, style, speakers=speakers, layout=layout)
    response = Response(body, content_type=style.content_type)
    return with_warnings(response, text_warnings(transcript, style, layout))


async def json_answer(
    transcript: Transcript, make: Callable[[Transcript], Mapping[str, Any]]
) -> Response:
    """The transcript as an object. That of ten hours takes seconds: not on this thread."""

    def write() -> bytes:
        return as_json(make(transcript))

    short = len(transcript.segments) <= AT_ONCE_MAX
    with stage("format"):
        body = write() if short else await trio.to_thread.run_sync(write, abandon_on_cancel=True)
    return Response(body, content_type="application/json")


def as_json(answer: Mapping[str, Any]) -> bytes:
    """An object as JSON, its lists item by item: other threads have to wait for each call."""
    members = (f"{_dumps(name)}:{_value(value)}" for name, value in answer.items())
    return f"{{{','.join(members)}}}\n".encode()


def _value(value: object) -> str:
    return f"[{','.join(map(_dumps, value))}]" if isinstance(value, list) else _dumps(value)


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def text_warnings(transcript: Transcript, style: TextFormat, layout: Layout) -> tuple[str, ...]:
    """What was skipped or guessed for a text."""
    if style.has_cues and guesses_times(transcript.segments, layout):
        return (*transcript.warnings, ESTIMATED)
    return transcript.warnings


def with_warnings(response: Response, warnings: Sequence[str]) -> Response:
    """An answer whose body has no place for warnings: they are a JSON list in a header."""
    said = list(warnings)
    while len(line := json.dumps(said)) > HEADER_CHARACTERS_MAX:
        said = [*said[:-2], "and more"]
    if said:
        response.headers["Asr-Warnings"] = line
    return response
