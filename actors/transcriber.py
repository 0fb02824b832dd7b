"""One request's walk through the house, from a file to a transcript. A function, not an actor."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from asr.actors.ahead import LIVE_PATIENCE_S, PATIENCE_S, Ahead
from asr.actors.alignment import words_beside
from asr.actors.ear import Ear, Notify
from asr.actors.speakers import speakers_beside
from asr.actors.turns import Priority
from asr.pipeline.audio import Wanted
from asr.pipeline.engine import ModelFolder
from asr.pipeline.speakers import SpeakerSettings
from asr.pipeline.types import (
    TEMPERATURES,
    Decoding,
    Options,
    Progress,
    Transcript,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from asr.actors.aligner import Aligner
    from asr.actors.alignment import WordTimes
    from asr.actors.diarizer import Diarizer
    from asr.actors.fetcher import Fetcher
    from asr.actors.gpu import Gpu
    from asr.actors.librarian import Librarian
    from asr.actors.listener import Listener
    from asr.actors.metrics import Metrics
    from asr.actors.receiver import Receiver
    from asr.actors.request import Heard
    from asr.pipeline.audio import Audio

T = TypeVar("T")

# What whispermlx answers, too, when there is nothing to tell a language from.
LANGUAGE_OF_SILENCE = "en"


class Read(Protocol):
    """Decodes a file into samples in another one; ``check`` may end that by what it raises."""

    async def __call__(
        self, source: Path, target: Path, wanted: Wanted, *, check: Callable[[], None]
    ) -> Audio: ...


@dataclass(frozen=True, slots=True)
class Stations:
    """Where a request passes by."""

    read: Read
    fetcher: Fetcher
    receiver: Receiver
    listener: Listener
    librarian: Librarian
    letters: Librarian  # brings what the aligner needs, by language
    gpu: Gpu
    metrics: Metrics
    speakers: SpeakerSettings = field(default_factory=SpeakerSettings)
    diarizer: Diarizer | None = None
    aligner: Aligner | None = None

    async def samples(self, source: Path, target: Path, wanted: Wanted) -> Audio:
        """The sound of a file, as samples in another one."""
        return await self.read(source, target, wanted, check=self.receiver.check_room)


async def nothing_to_do() -> None:
    """Nobody wants to know that a file has been read."""


async def transcribe(
    source: Path,
    options: Options,
    *,
    model: str,
    raw: bool,
    stations: Stations,
    notify: Notify,
    once_read: Callable[[], Awaitable[None]] = nothing_to_do,
    live: bool = False,
    priority: Priority = Priority.INTERACTIVE,
) -> Transcript:
    """The transcript of a file; ``model`` is a canonical name, ``raw`` says it is bare samples.

    ``once_read`` hears when the file is not needed any more; ``live`` tells segments early.
    """
    began_s = trio.current_time()
    laps = Laps()
    language = options.language
    with stations.receiver.scratch(".pcm") as target:
        audio = await laps.of("read", stations.samples(source, target, _wanted(options, raw=raw)))
        stations.metrics.audio(audio.duration_s, _size(source))
        await once_read()
        folder = ModelFolder(model, await stations.librarian.fetch(model))
        ear = Ear(audio, notify)
        async with (
            speakers_beside(options, audio, stations, ear.diarized) as speakers,
            words_beside(options, audio, stations) as words,
            stations.listener.find_speech(audio) as speech,
        ):
            notify(Progress(0.0, audio.duration_s))  # what could be refused was
            ahead = Ahead(audio, speech, patience_s=LIVE_PATIENCE_S if live else PATIENCE_S)
            while windows := await laps.of("vad", ahead.windows()):
                if language is None:  # that of the first speech, as in OpenAI's reference
                    first = await laps.of("decode", stations.gpu.detect(folder, windows[0]))
                    language = first.language
                decoding = stations.gpu.decode(
                    folder,
                    windows,
                    _decoding(options, language),
                    priority=priority,
                    heard=partial(_hear, ear, words, language),
                    growing=ear.grow if live else None,
                )
                await laps.of("decode", decoding)
            ear.end()
            timed = await laps.of("align", words.of(tuple(ear.heard.segments)))
            spoken = await laps.of("diarize", speakers.of(timed.segments))
    laps.tell(stations.metrics)
    stations.metrics.speed(audio.duration_s, trio.current_time() - began_s)
    return Transcript(
        language or LANGUAGE_OF_SILENCE,
        options.task,
        audio.duration_s,
        spoken.segments,
        (*timed.warnings, *spoken.warnings, *_warnings(options)),
        spoken.diarization,
    )


def _hear(ear: Ear, words: WordTimes, language: str, answer: Heard) -> None:
    """A window is answered: its words can be looked for while the next is decoded."""
    words.take(ear.hear(answer), language)


class Laps:
    """How long a request waited for each stage, whenever it came back to it."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    async def of(self, stage: str, work: Awaitable[T]) -> T:
        """Wait for a stage, and count the time."""
        began_s = trio.current_time()
        answer = await work
        self._seconds[stage] = self._seconds.get(stage, 0.0) + trio.current_time() - began_s
        return answer

    def tell(self, metrics: Metrics) -> None:
        for stage, seconds in self._seconds.items():
            metrics.stage(stage, seconds)


def _wanted(options: Options, *, raw: bool) -> Wanted:
    return Wanted(raw=raw, audio_track=options.audio_track)


def _size(file: Path) -> int:
    return file.stat().st_size


def _decoding(options: Options, language: str) -> Decoding:
    return Decoding(
        language,
        options.task,
        _prompt(options),
        _temperatures(options.temperature),
        words=options.words or options.diarize,  # who speaks is said of words
        spelled=options.logprobs or options.diarize,  # where to cut between tokens, too
    )


def _prompt(options: Options) -> str | None:
    """The prompt, with the hotwords before it: Whisper has no other way to favour words."""
    glossary = f"Glossary: {options.hotwords}." if options.hotwords else None
    return " ".join(filter(None, (glossary, options.prompt))) or None


def _temperatures(coldest: float | None) -> tuple[float, ...]:
    """From the one asked for upwards: Whisper's own ladder, from the next rung on."""
    coldest = coldest or TEMPERATURES[0]
    return (coldest, *(warmer for warmer in TEMPERATURES if warmer > coldest))


def _warnings(options: Options) -> tuple[str, ...]:
    """What was asked for and not done, or done otherwise."""
    said = {
        "hotwords were put in front of the prompt: Whisper has no other way to favour words": (
            options.hotwords is not None
        ),
    }
    return tuple(warning for warning, applies in said.items() if applies)
