"""One request's walk through the house, from a file to a transcript. A function, not an actor."""

from __future__ import annotations

from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from asr.actors.ahead import CALM, LIVE, Ahead, AheadPolicy, helped_by
from asr.actors.alignment import words_beside
from asr.actors.ear import Ear, Notify
from asr.actors.forecast import Speeds
from asr.actors.groups import Groups
from asr.actors.speakers import speakers_beside
from asr.actors.stages.addresses import Addresses, Decoder
from asr.actors.stages.cache import Cache
from asr.actors.trail import note, stage
from asr.actors.turns import Priority
from asr.actors.watch import watched
from asr.pipeline.audio import Wanted
from asr.pipeline.engine import ModelFolder
from asr.pipeline.speakers import SpeakerSettings
from asr.pipeline.types import (
    TEMPERATURES,
    Decoding,
    Options,
    Progress,
    Segment,
    Transcript,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from asr.actors.aligner import Aligner
    from asr.actors.alignment import Timed, WordTimes
    from asr.actors.diarizer import Diarizer
    from asr.actors.fetcher import Fetcher
    from asr.actors.gpu import Gpu
    from asr.actors.librarian import Librarian
    from asr.actors.listener import Listener
    from asr.actors.metrics import Metrics
    from asr.actors.receiver import Receiver
    from asr.actors.request import Heard
    from asr.actors.speakers import Speakers, Spoken
    from asr.actors.watch import Watcher
    from asr.pipeline.audio import Audio

# What whispermlx answers, too, when there is nothing to tell a language from.
LANGUAGE_OF_SILENCE = "en"


class Read(Protocol):
    """Decodes a file into samples in another one; ``check`` may end that by what it raises."""

    async def __call__(
        self, source: Path, target: Path, wanted: Wanted, *, check: Callable[[], None]
    ) -> Audio: ...


class Together(Protocol):
    """Has files decoded here and elsewhere."""

    def helpers(self, model: str) -> int:
        """How many others would help with what this model is to decode now."""
        ...

    def file(self) -> AbstractAsyncContextManager[Decoder]:
        """Who decodes a file, until the block ends."""
        ...


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
    speeds: Speeds = field(default_factory=Speeds)
    cache: Cache = field(default_factory=Cache)
    together: Together | None = None  # the GPU and others, where others help with long files

    async def samples(self, source: Path, target: Path, wanted: Wanted) -> Audio:
        """The sound of a file, as samples in another one."""
        return await self.read(source, target, wanted, check=self.receiver.check_room)

    @asynccontextmanager
    async def known(self, audio: Audio, job: str) -> AsyncIterator[Addresses]:
        """Those who work on samples, with what is known of these; ``job`` as of ``House``."""
        async with self.together.file() if self.together else nullcontext(self.gpu) as decoder:
            yield await self.cache.addresses(
                Addresses(decoder, self.listener, self.diarizer, self.aligner),
                audio,
                job=job,
                speakers=self.speakers,
                letters=self.letters,
            )


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
    watcher: Watcher | None = None,
    job: str = "",
) -> Transcript:
    """The transcript of a file; ``model`` is a canonical name, ``raw`` says it is bare samples.

    ``once_read`` is called when the file is not needed any more. ``live`` tells segments as soon as
    they are likely to stay, and not only with their window. What is computed is kept for the
    ``job``, if that is not empty, and not computed again.
    """
    began_s = trio.current_time()
    speed = partial(stations.speeds.of, kind := (model, options.diarize))
    with stations.receiver.scratch(".pcm") as target:
        audio = await _read(source, target, Wanted(raw, options.audio_track), stations)
        await once_read()
        async with stations.known(audio, job) as addresses, watched(audio, watcher, speed):
            with stage("model"):
                folder = ModelFolder(model, await stations.librarian.fetch(model))
            at_work_s = trio.current_time()
            transcript = await _heard(
                audio,
                options,
                folder,
                stations,
                addresses,
                notify,
                live=live,
                priority=priority,
            )
    now_s = trio.current_time()
    stations.speeds.record(kind, audio.duration_s, now_s - at_work_s)
    _note_speed(stations.metrics, audio.duration_s, now_s - began_s)
    return transcript


async def _heard(
    audio: Audio,
    options: Options,
    folder: ModelFolder,
    stations: Stations,
    at: Addresses,
    notify: Notify,
    *,
    live: bool,
    priority: Priority,
) -> Transcript:
    """What is said in samples on disk, when, and by whom."""
    ear = Ear(audio, notify)
    async with (
        speakers_beside(options, audio, stations, at.diarizer, ear.diarized) as speakers,
        words_beside(options, audio, at.aligner, stations.letters) as words,
        at.listener.find_speech(audio) as speech,
    ):
        notify(Progress(0.0, audio.duration_s))  # what could be refused was
        groups = Groups(
            at.gpu,
            folder,
            priority,
            decoding=partial(_decoding, options),
            heard=partial(_hear, ear, words),
            growing=ear.grow if live else None,
            language=options.language,
        )
        await groups.decode(Ahead(audio, speech, _policy(stations, folder.name, live=live)))
        language = groups.language or LANGUAGE_OF_SILENCE
        note(model=folder.name, windows=groups.count, language=language)
        ear.end()
        timed, spoken = await _joined(tuple(ear.heard.segments), words, speakers)
    return Transcript(
        language,
        options.task,
        audio.duration_s,
        spoken.segments,
        (*timed.warnings, *spoken.warnings, *_warnings(options, ear)),
        spoken.diarization,
    )


def _policy(stations: Stations, model: str, *, live: bool) -> AheadPolicy:
    """How windows are given out to whoever decodes them."""
    if live:
        return LIVE
    others = stations.together.helpers(model) if stations.together else 0
    return helped_by(others) if others else CALM


async def _read(source: Path, target: Path, wanted: Wanted, stations: Stations) -> Audio:
    with stage("read"):
        audio = await stations.samples(source, target, wanted)
    stations.metrics.audio(audio.duration_s, size := _size(source))
    note(audio_s=round(audio.duration_s, 3), file_bytes=size)
    return audio


def _size(file: Path) -> int:
    return file.stat().st_size


async def _joined(
    segments: tuple[Segment, ...], words: WordTimes, speakers: Speakers
) -> tuple[Timed, Spoken]:
    """What was said, with what went on beside: as far as that is not done, it is waited for."""
    with stage("join"):
        timed = await words.of(segments)
        return timed, await speakers.of(timed.segments)


def _note_speed(metrics: Metrics, audio_s: float, work_s: float) -> None:
    metrics.speed(audio_s, work_s)
    if work_s > 0:
        note(speed=round(audio_s / work_s, 2))


def _hear(ear: Ear, words: WordTimes, answer: Heard, language: str) -> None:
    """A window is answered: its words can be looked for while the next is decoded."""
    words.take(ear.hear(answer), language)


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


def _warnings(options: Options, ear: Ear) -> tuple[str, ...]:
    """What was asked for and not done, or done otherwise."""
    said = {
        "hotwords were put in front of the prompt: Whisper has no other way to favour words": (
            options.hotwords is not None
        ),
        "only the end of hotwords and prompt was used: Whisper has room for 223 tokens of them": (
            ear.prompt_cut
        ),
    }
    return tuple(warning for warning, applies in said.items() if applies)
