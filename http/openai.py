"""/v1: OpenAI's transcriptions, translations and models, as its SDKs speak them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import trio
from quart import Response, jsonify, request

from asr.http.errors import envelope
from asr.http.forms import granularities, openai_options, pick
from asr.http.streams import EVENT_STREAM, HEADERS, transcript_events
from asr.http.uploads import receive_upload
from asr.pipeline.errors import UnknownModel
from asr.pipeline.formats import OPENAI, openai_json, verbose_json
from asr.pipeline.names import OPENAI_NAMES

if TYPE_CHECKING:
    from quart_trio import QuartTrio

    from asr.actors.house import House
    from asr.http.forms import Fields
    from asr.http.settings import HttpSettings
    from asr.pipeline.formats import Granularity
    from asr.pipeline.types import Options, Task, Transcript

FORMATS = {name: name for name in ("json", *OPENAI, "verbose_json")}

WHISPER_RELEASED = 1_663_718_400  # 2022-09-21: clients want a number in ``created``


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client of /v1/audio wants, and how it wants to read it."""

    format: str
    granularities: frozenset[Granularity]
    stream: bool
    options: Options


def add_openai_routes(app: QuartTrio, house: House, settings: HttpSettings) -> None:
    """Serve /v1/audio."""

    async def transcribe(task: Task) -> Response:
        house.refuse_if_full()
        async with receive_upload(
            request, house.receiver, file_field="file", settings=settings
        ) as upload:
            wish = read_wish(upload.fields, task)
            options = replace(wish.options, model=house.models.resolve(wish.options.model))
            transcript = await house.transcribe(
                upload.path, options, client=request.remote_addr or ""
            )
        return answer(transcript, wish)

    @app.post("/v1/audio/transcriptions")
    async def transcriptions() -> Response:
        return await transcribe("transcribe")

    @app.post("/v1/audio/translations")
    async def translations() -> Response:
        return await transcribe("translate")


def add_model_routes(app: QuartTrio, house: House) -> None:
    """Serve /v1/models; a model's name may hold slashes."""

    @app.get("/v1/models")
    async def models() -> Response:
        known = await trio.to_thread.run_sync(house.models.catalogue)  # it looks at the disk
        names = (*OPENAI_NAMES, *(model.name for model in known))
        return jsonify({"object": "list", "data": [model_card(name) for name in names]})

    @app.get("/v1/models/<path:name>")
    async def model(name: str) -> Response:
        try:
            house.models.resolve(name)
        except UnknownModel as error:  # here it is the address that is wrong: not the table's 400
            words = {"param": error.param, "code": error.code}
            return envelope(404, error.message, type="invalid_request_error", **words)
        return jsonify(model_card(name))


def read_wish(fields: Fields, task: Task) -> Wish:
    """What the fields ask for. Words cost time: they are made only where they will be shown."""
    format = pick("response_format", fields.text("response_format") or "json", FORMATS)
    asked = granularities(fields)
    words = "word" in asked and format == "verbose_json"
    return Wish(
        format=format,
        granularities=asked,
        stream=fields.flag("stream", default=False),
        options=openai_options(fields, task=task, words=words),
    )


def answer(transcript: Transcript, wish: Wish) -> Response:
    """The transcript in the wanted format; streamed, all formats are the same events."""
    if wish.stream:
        events = transcript_events(transcript)
        return Response(events, content_type=EVENT_STREAM, headers=HEADERS)
    if wish.format == "json":
        return jsonify(openai_json(transcript))
    if wish.format == "verbose_json":
        return jsonify(verbose_json(transcript, wish.granularities))
    style = OPENAI[wish.format]
    return Response(style.write(transcript), content_type=style.content_type)


def model_card(name: str) -> dict[str, Any]:
    """A model as OpenAI lists it."""
    owner = name.partition("/")[0] if "/" in name else "openai"
    return {"id": name, "object": "model", "created": WHISPER_RELEASED, "owned_by": owner}
