"""POST /asr, in the dialects of the two services whose clients come here.

*Classic* answers with plain bodies, *wrapped* with JSON objects around them. The names of the
parameters decide, never ``Accept``: clients ask for JSON there and still want raw SRT.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from quart import Response, jsonify, request

from asr.http.forms import asr_dialect, asr_options, pick
from asr.http.uploads import receive_upload
from asr.pipeline.formats import CLASSIC, WRAPPED, asr_json

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from asr.actors.house import House
    from asr.http.forms import Dialect, Fields
    from asr.http.settings import HttpSettings
    from asr.pipeline.types import Options, Transcript

CLASSIC_FORMATS = {name: name for name in (*CLASSIC, "json")}
WRAPPED_FORMATS = {name: name for name in (*WRAPPED, "json")} | {"txt": "text"}


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client of /asr wants, and how it wants to read it. ``raw``: samples, no container."""

    dialect: Dialect
    format: str
    options: Options
    raw: bool


def add_asr_routes(app: QuartTrio, house: House, settings: HttpSettings) -> None:
    """Serve /asr."""

    @app.post("/asr")
    async def asr() -> Response:
        house.refuse_if_full()
        async with receive_upload(
            request, house.receiver, file_field="audio_file", settings=settings
        ) as upload:
            wish = read_wish(upload.fields, settings, diarizes=house.diarizes)
            options = replace(wish.options, model=house.models.resolve(wish.options.model))
            client = request.remote_addr or ""
            transcript = await house.transcribe(upload.path, options, client=client, raw=wish.raw)
        if wish.dialect == "wrapped":
            return wrapped(transcript, wish)
        return classic(transcript, wish, file_name=upload.name)


def read_wish(fields: Fields, settings: HttpSettings, *, diarizes: bool) -> Wish:
    """The dialect, unless the operator chose one, and what it makes of the fields."""
    forced = settings.asr_dialect
    dialect = asr_dialect(fields) if forced == "auto" else forced
    return Wish(
        dialect=dialect,
        format=output_format(fields, dialect),
        options=asr_options(fields, dialect, diarizes=diarizes),
        raw=not fields.flag("encode", default=True),
    )


def output_format(fields: Fields, dialect: Dialect) -> str:
    """The wanted format; where a dialect is forced on a client, the other's name counts, too."""
    own, other = ("output", "output_format")[:: 1 if dialect == "classic" else -1]
    choices = CLASSIC_FORMATS if dialect == "classic" else WRAPPED_FORMATS
    name = own if fields.text(own) else other
    return pick(name, fields.text(name) or ("txt" if dialect == "classic" else "json"), choices)


def classic(transcript: Transcript, wish: Wish, *, file_name: str) -> Response:
    """The answer as a file of the wanted format."""
    extension = wish.format
    if wish.format == "json":
        response = jsonify(asr_json(transcript, listed=False))
    else:
        style = CLASSIC[wish.format]
        extension = style.extension
        text = style.write(transcript, speakers=wish.options.diarize)
        response = Response(text, content_type=style.content_type)
    name = quote(file_name or "audio", safe="")  # a client's name: no quote or newline may pass
    response.headers["Asr-Engine"] = "whispermlx"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.{extension}"'
    return response


def wrapped(transcript: Transcript, wish: Wish) -> Response:
    """The answer as an object, whatever the format."""
    if wish.format == "json":
        return jsonify(asr_json(transcript, listed=True))
    text = WRAPPED[wish.format].write(transcript, speakers=wish.options.diarize)
    answer: dict[str, Any] = {wish.format: text}
    return jsonify(answer)
