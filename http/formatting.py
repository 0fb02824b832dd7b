"""/v1/format: a transcript that its client has, corrected by now, in another format."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import trio
from quart import Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from asr.http import parameters as known
from asr.http.answers import as_json, text_warnings, warned, with_warnings
from asr.http.fields import Fields
from asr.http.forms import layout as layout_of
from asr.http.forms import remarks
from asr.http.uploads import next_chunk
from asr.pipeline.cues import AS_SEGMENTS
from asr.pipeline.errors import InvalidRequest, TooLarge
from asr.pipeline.formats import FILES, asr_json, verbose_json
from asr.pipeline.verbose import read_verbose_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quart.wrappers import Request
    from quart_trio import QuartTrio

    from asr.http.settings import HttpSettings
    from asr.pipeline.cues import Layout
    from asr.pipeline.formats import Granularity, TextFormat
    from asr.pipeline.types import Transcript

BODY_BYTES_MAX = 16_000_000
BODIES_MAX = 8  # in memory at once; who comes then waits
BODY_S_MAX = 60.0
AT_WORK_MAX = 2  # in threads at once: the interpreter has one lock for all of them

TRANSCRIPT = "transcript"


def add_format_routes(app: QuartTrio, settings: HttpSettings) -> None:
    """Serve /v1/format."""
    bodies = trio.CapacityLimiter(BODIES_MAX)
    at_work = trio.CapacityLimiter(AT_WORK_MAX)

    @app.post("/v1/format")
    async def format() -> Response:
        async with bodies:
            body = await read_body(request, settings)
            work = partial(formatted, body)
            return await trio.to_thread.run_sync(work, limiter=at_work, abandon_on_cancel=True)


async def read_body(request: Request, settings: HttpSettings) -> bytes:
    """All of a body that is small. Raises TooLarge, and RequestTimeout for a slow client."""
    if (request.content_length or 0) > BODY_BYTES_MAX:
        raise too_large()
    body = bytearray()
    deadline_s = trio.current_time() + BODY_S_MAX
    while len(body) <= BODY_BYTES_MAX:
        left_s = deadline_s - trio.current_time()
        try:
            chunk = await next_chunk(request, patience_s=min(left_s, settings.body_chunk_timeout_s))
        except RequestEntityTooLarge:  # where uploads may have even less
            break
        if chunk is None:
            return bytes(body)
        body += chunk
    raise too_large()


def too_large() -> TooLarge:
    return TooLarge(f"The body is too large: {BODY_BYTES_MAX} bytes at most", code="body_too_large")


def formatted(body: bytes) -> Response:
    """The answer to a body. Takes seconds for hours of audio: for a thread."""
    values = read_object(body)
    fields = fields_of(values)
    name = fields.read(known.FORMAT)
    lines = layout_of(fields, default=AS_SEGMENTS)
    speakers = fields.read(known.SHOW_SPEAKERS)
    transcript = read_verbose_json(values.get(TRANSCRIPT), param=TRANSCRIPT)
    transcript = warned(transcript, tuple(remarks(fields, known.FORMATTING, format=name)))
    if not speakers:
        transcript = nameless(transcript)
    if name in FILES:
        return in_text(transcript, FILES[name], speakers=speakers, layout=lines)
    if name == "json":
        return as_object(asr_json(transcript, listed=False))
    return as_object(verbose_json(transcript, all_there_is(transcript)))


def in_text(
    transcript: Transcript, style: TextFormat, *, speakers: bool, layout: Layout
) -> Response:
    """The transcript as a file of a format."""
    text = style.write(transcript, speakers=speakers, layout=layout)
    response = Response(text, content_type=style.content_type)
    return with_warnings(response, text_warnings(transcript, style, layout))


def as_object(made: Mapping[str, Any]) -> Response:
    """An object as an answer."""
    return Response(as_json(made), content_type="application/json")


def all_there_is(transcript: Transcript) -> tuple[Granularity, ...]:
    """What a transcript has times of."""
    worded = any(segment.words for segment in transcript.segments)
    return ("word", "segment") if worded else ("segment",)


def read_object(body: bytes) -> dict[str, Any]:
    """The JSON object that a body is. Raises InvalidRequest."""
    try:
        values = json.loads(body, parse_constant=no_number)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InvalidRequest("The body must be a JSON object", param=None)
    return values


def no_number(_: str) -> NoReturn:
    """NaN and infinity are none to JSON."""
    raise ValueError


def fields_of(values: dict[str, Any]) -> Fields:
    """What stands beside the transcript, as the fields that a form would have. None: not given."""
    wanted = {name: value for name, value in values.items() if name != TRANSCRIPT}
    for parameter in known.FORMATTING:
        if isinstance(wanted.get(parameter.name), (dict, list)):
            raise InvalidRequest(f"{parameter.name} must be one value", param=parameter.name)
    given = [(name, str(value)) for name, value in wanted.items() if value is not None]
    return Fields.gather((), given)


def nameless(transcript: Transcript) -> Transcript:
    """The transcript without who speaks."""
    segments = (
        replace(
            segment,
            speaker=None,
            words=tuple(replace(word, speaker=None) for word in segment.words),
        )
        for segment in transcript.segments
    )
    return replace(transcript, segments=tuple(segments))
