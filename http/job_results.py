"""A job's transcript in any format, as often as it is asked for: nothing is decoded again."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.trail import stage
from asr.http import job_parameters as of_jobs
from asr.http import parameters as known
from asr.http.answers import AT_ONCE_MAX, warned
from asr.http.formatting import AT_WORK_MAX, all_there_is, as_object, in_text, nameless
from asr.http.forms import granularities, layout, remarks
from asr.pipeline.formats import FILES, asr_json, diarized_json, openai_logprobs, verbose_json
from asr.pipeline.joining import ended_at_changes

if TYPE_CHECKING:
    from quart import Response

    from asr.http.fields import Fields
    from asr.pipeline.cues import Layout
    from asr.pipeline.types import Transcript


class Writer:
    """Writes results; long ones in threads of its own, two at once as those of /v1/format."""

    def __init__(self, layout: Layout) -> None:
        """``layout`` is for who says nothing of it."""
        self._layout = layout
        self._at_work = trio.CapacityLimiter(AT_WORK_MAX)

    async def answer(self, transcript: Transcript, fields: Fields, *, embeddings: bool) -> Response:
        """The transcript as the fields want it; ``embeddings``: if they say nothing of those."""
        voices = fields.read(of_jobs.EMBEDDINGS)
        voices = embeddings if voices is None else voices
        work = partial(formatted, transcript, fields, embeddings=voices, default=self._layout)
        with stage("format"):
            if len(transcript.segments) <= AT_ONCE_MAX:
                return work()
            # Who leaves does not stop the thread: so it is one of few, and not of those for all.
            return await trio.to_thread.run_sync(
                work, limiter=self._at_work, abandon_on_cancel=True
            )


def check(fields: Fields) -> None:
    """Raise InvalidRequest for what no transcript could be written with."""
    for parameter in of_jobs.RESULT:
        fields.read_all(parameter)


def formatted(
    transcript: Transcript, fields: Fields, *, embeddings: bool, default: Layout
) -> Response:
    """The answer. Takes seconds for hours of audio: for a thread."""
    name = fields.read(of_jobs.FORMAT)
    speakers = fields.read(known.SHOW_SPEAKERS)
    said = tuple(remarks(fields, of_jobs.RESULT, format=name, shown_in=of_jobs.SHOWN_IN))
    shown = warned(transcript if speakers else nameless(transcript), said)
    if name in FILES:
        lines = layout(fields, default=default)
        return in_text(shown, FILES[name], speakers=speakers, layout=lines)
    return as_object(made(shown, name, fields, embeddings=embeddings and speakers))


def made(transcript: Transcript, name: str, fields: Fields, *, embeddings: bool) -> dict[str, Any]:
    """The object of a format that is one."""
    if name == "diarized_json":
        ended = ended_at_changes(transcript.segments)  # each segment has one speaker there
        return diarized_json(replace(transcript, segments=ended))
    if name == "verbose_json":
        return verbose_json(transcript, granularities(fields) or all_there_is(transcript))
    said = [token for segment in transcript.segments for token in segment.said]
    logprobs = {"logprobs": openai_logprobs(said)} if said else {}
    return asr_json(transcript, listed=False, embeddings=embeddings) | logprobs
