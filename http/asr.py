"""POST /asr, in the dialects of the two services whose clients come here.

*Classic* answers with plain bodies, *wrapped* with JSON objects around them. The names of the
parameters decide, never ``Accept``: clients ask for JSON there and still want raw SRT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import quote

from quart import Response, jsonify, request

from asr.http import parameters as known
from asr.http.answers import json_answer, text_answer, text_warnings, warned, with_warnings, written
from asr.http.forms import (
    asks_for_speakers,
    asr_dialect,
    asr_format,
    asr_options,
    layout,
    remarks,
)
from asr.http.keys import client_of
from asr.http.uploads import receive_upload
from asr.pipeline.formats import CLASSIC, WRAPPED, asr_json

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from asr.actors.any_house import AnyHouse
    from asr.http.fields import Fields
    from asr.http.forms import Dialect
    from asr.http.settings import HttpSettings
    from asr.pipeline.cues import Layout
    from asr.pipeline.types import Options, Transcript


NAME_LENGTH_MAX = 100  # characters of a file's name that are said back


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client of /asr wants, how it wants to read it, and what changes nothing of it.

    ``raw``: samples, no container.
    """

    dialect: Dialect
    format: str
    layout: Layout
    options: Options
    raw: bool
    remarks: tuple[str, ...]


def add_asr_routes(app: QuartTrio, house: AnyHouse, settings: HttpSettings) -> None:
    """Serve /asr."""

    @app.post("/asr")
    async def asr() -> Response:
        house.refuse_if_full()
        async with receive_upload(
            request, house, file_field="audio_file", settings=settings
        ) as upload:
            wish = read_wish(upload.fields, settings, diarizes=house.diarizes)
            options = replace(wish.options, model=house.models.resolve(wish.options.model))
            client = client_of(request)
            heard = await house.transcribe(
                upload.path, options, client=client, raw=wish.raw, once_read=upload.release
            )
        transcript = warned(heard, wish.remarks)
        if wish.dialect == "wrapped":
            return await wrapped(transcript, wish)
        return await classic(transcript, wish, file_name=upload.name)


def read_wish(fields: Fields, settings: HttpSettings, *, diarizes: bool) -> Wish:
    """The dialect, unless the operator chose one, and what it makes of the fields."""
    forced = settings.asr_dialect
    dialect = asr_dialect(fields) if forced == "auto" else forced
    format = asr_format(fields, dialect)
    lines = layout(fields, default=settings.layout)
    options = asr_options(fields, dialect, format, diarizes=diarizes)
    if format in known.SUBTITLES:
        options = replace(options, words=lines.wants_words)
    said = [*remarks(fields, known.ASR, format=format, diarize=options.diarize)]
    if asks_for_speakers(fields) and not options.diarize:
        said.append("speakers were not told apart: this table has no place for them")
    return Wish(
        dialect=dialect,
        format=format,
        layout=lines,
        options=options,
        raw=not fields.read(known.ENCODE),
        remarks=tuple(said),
    )


async def classic(transcript: Transcript, wish: Wish, *, file_name: str) -> Response:
    """The answer as a file of the wanted format."""
    extension = wish.format
    if wish.format == "json":
        make = partial(asr_json, listed=False, embeddings=wish.options.embeddings)
        response = await json_answer(transcript, make)
    else:
        style = CLASSIC[wish.format]
        extension = style.extension
        response = await text_answer(
            transcript, style, speakers=wish.options.diarize, layout=wish.layout
        )
    # A client's name: no quote or newline may pass, nor so much that a proxy refuses the answer.
    name = quote(file_name[:NAME_LENGTH_MAX] or "audio", safe="")
    response.headers["Asr-Engine"] = "whispermlx"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{extension}"'
    return response


async def wrapped(transcript: Transcript, wish: Wish) -> Response:
    """The answer as an object, whatever the format."""
    if wish.format == "json":
        make = partial(asr_json, listed=True, embeddings=wish.options.embeddings)
        return await json_answer(transcript, make)
    style = WRAPPED[wish.format]
    text = await written(transcript, style, speakers=wish.options.diarize, layout=wish.layout)
    return with_warnings(
        jsonify({wish.format: text}), text_warnings(transcript, style, wish.layout)
    )
