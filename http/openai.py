"""/v1/audio: OpenAI's transcriptions and translations, as its SDKs speak them."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from quart import Response, request

from asr.http import parameters as known
from asr.http.answers import json_answer, text_answer, warned
from asr.http.forms import granularities, layout, openai_options, remarks
from asr.http.keys import client_of
from asr.http.streams import Shown, stream
from asr.http.uploads import receive_upload
from asr.pipeline.formats import OPENAI, diarized_json, openai_json, verbose_json

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from quart_trio import QuartTrio

    from asr.actors.any_house import AnyHouse
    from asr.actors.ear import Notify
    from asr.actors.watch import Watch
    from asr.http.fields import Fields
    from asr.http.settings import HttpSettings
    from asr.pipeline.cues import Layout
    from asr.pipeline.formats import Granularity
    from asr.pipeline.types import Options, Task, Transcript

    Ask = Callable[..., Awaitable[Transcript]]


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client of /v1/audio wants, how it wants to read it, and what changes nothing of it."""

    format: str
    layout: Layout
    granularities: frozenset[Granularity]
    stream: bool
    progress: bool
    options: Options
    remarks: tuple[str, ...]

    @property
    def shown(self) -> Shown:
        """What its stream shows."""
        asked = self.options
        return Shown(asked.diarize, asked.logprobs, asked.words, self.progress)


def add_openai_routes(app: QuartTrio, house: AnyHouse, settings: HttpSettings) -> None:
    """Serve /v1/audio, and the same under Azure's path, where the model is in the address."""

    async def transcribe(task: Task, model: str | None = None) -> Response:
        house.refuse_if_full()
        async with AsyncExitStack() as kept:
            upload = await kept.enter_async_context(
                receive_upload(request, house, file_field="file", settings=settings)
            )
            wish = read_wish(upload.fields, task, settings, deployment=model)
            name = house.models.resolve(model or wish.options.model)
            options = replace(wish.options, model=name)
            ask = partial(
                house.transcribe,
                upload.path,
                options,
                client=client_of(request),
                once_read=upload.release,
            )
            if wish.stream:
                work = partial(live, ask, wish, kept.pop_all())
                return await stream(request, work, wish.shown)
            heard = await ask()
        return await answer(warned(heard, wish.remarks), wish)

    @app.post("/v1/audio/transcriptions")
    async def transcriptions() -> Response:
        return await transcribe("transcribe")

    @app.post("/v1/audio/translations")
    async def translations() -> Response:
        return await transcribe("translate")

    @app.post("/openai/deployments/<path:name>/audio/transcriptions")
    async def azure_transcriptions(name: str) -> Response:
        return await transcribe("transcribe", name)

    @app.post("/openai/deployments/<path:name>/audio/translations")
    async def azure_translations(name: str) -> Response:
        return await transcribe("translate", name)


def read_wish(
    fields: Fields, task: Task, settings: HttpSettings, *, deployment: str | None
) -> Wish:
    """What the fields ask for; ``deployment`` is the model that Azure's path names.

    Words and speakers cost time: they are made only where they will be shown.
    """
    format = fields.read(known.RESPONSE_FORMAT)
    streamed = fields.read(known.STREAM)
    asked = granularities(fields)
    lines = layout(fields, default=settings.layout)
    words = ("word" in asked and (streamed or format == "verbose_json")) or (
        not streamed and format in known.SUBTITLES and lines.wants_words
    )
    parameters = known.TRANSCRIPTIONS if deployment is None else known.AZURE
    written_as = "events" if streamed else format
    shows_speakers = written_as in known.SHOWN_IN[known.SAY_SPEAKERS]
    wants_speakers = fields.read(known.SAY_SPEAKERS)
    diarize = format == "diarized_json" or bool(wants_speakers and shows_speakers)
    # Where segments say who speaks, each has one speaker.
    resegment = diarize and (format == "diarized_json" or streamed)
    options = openai_options(fields, task=task, words=words, diarize=diarize, resegment=resegment)
    said = [*remarks(fields, parameters, format=written_as, diarize=diarize)]
    if diarize and wants_speakers is False:
        said.append("diarize=false changed nothing: diarized_json tells speakers apart")
    if deployment is not None and options.model not in (None, deployment):
        said.append("model changed nothing: the address names one")
    return Wish(
        format=format,
        layout=lines,
        granularities=asked,
        stream=streamed,
        progress=fields.read(known.PROGRESS),
        options=options,
        remarks=tuple(said),
    )


async def live(
    ask: Ask, wish: Wish, kept: AsyncExitStack, notify: Notify, watch: Watch | None
) -> Transcript:
    """A stream's work, which goes on when its handler is done: so it keeps what that had."""
    async with kept:
        return warned(await ask(notify=notify, live=True, watch=watch), wish.remarks)


async def answer(transcript: Transcript, wish: Wish) -> Response:
    """The transcript in the wanted format."""
    if wish.format == "json":
        make = partial(openai_json, logprobs=wish.options.logprobs)
        return await json_answer(transcript, make)
    if wish.format == "verbose_json":
        make = partial(verbose_json, granularities=wish.granularities)
        return await json_answer(transcript, make)
    if wish.format == "diarized_json":
        return await json_answer(transcript, diarized_json)
    style = OPENAI[wish.format]
    return await text_answer(transcript, style, speakers=wish.options.diarize, layout=wish.layout)
