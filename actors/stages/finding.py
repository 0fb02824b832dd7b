"""The workers' addresses for one audio: speech, speakers and words are found once."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.stages.entries import Packing
from asr.actors.stages.shared import Lead
from asr.pipeline.identity import digest_of
from asr.pipeline.records import (
    dump_diarization,
    dump_found,
    dump_words,
    load_diarization,
    load_found,
    load_words,
)
from asr.pipeline.speakers import Align
from asr.pipeline.types import Found

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

    from asr.actors.stages.addresses import SpeakerFinder, Speech, SpeechFinder, WordFinder
    from asr.actors.stages.entries import Entries
    from asr.actors.stages.shared import Flight, Told
    from asr.pipeline.audio import Audio
    from asr.pipeline.speakers import Diarization, Diarize, SpeakerSettings
    from asr.pipeline.types import Segment, Span, Word

SPEECH = Packing(dump_found, load_found)
WORDS = Packing(dump_words, load_words)


@dataclass(frozen=True, slots=True)
class KeptFinder:
    """As the listener's address. ``network`` says which network it is that hears."""

    listener: SpeechFinder
    entries: Entries
    network: str

    @asynccontextmanager
    async def find_speech(self, audio: Audio) -> AsyncIterator[Speech]:
        """What is found of an audio: at once if it is known, block by block if it is not."""
        key = self.entries.keys.speech(self.network)
        lead = Lead()
        flight, leads = self.entries.shared.claim(key, lead)
        if not leads:
            async with AsyncExitStack() as own:
                yield Followed(flight, partial(own.enter_async_context, self.find_speech(audio)))
            return
        try:
            found = await self.entries.find([key], SPEECH)
            if key in found:
                self.entries.shared.settle(key, found[key])
                yield Known(found[key])
                return
            async with self.listener.find_speech(audio) as speech:
                add = partial(self.entries.shared.add, key)
                yield Noted(speech, add, partial(self._found, key))
        finally:
            self.entries.shared.end([key], lead)

    def _found(self, key: str, found: tuple[Found, ...]) -> None:
        self.entries.put(key, found, SPEECH)
        self.entries.shared.settle(key, found)


class Known:
    """Speech that is known."""

    waiting = False

    def __init__(self, found: tuple[Found, ...]) -> None:
        self._found = found

    async def more(self) -> Found:
        """All of it."""
        await trio.lowlevel.checkpoint()
        return self._found[0]


@dataclass(slots=True)
class Noted:
    """Speech as it is found; ``add`` gets each block, ``noted`` all of it when it is known."""

    _speech: Speech
    _add: Callable[[Found], None]
    _noted: Callable[[tuple[Found, ...]], None]
    _spans: list[Span] = field(default_factory=list)

    @property
    def waiting(self) -> bool:
        """Whether there is more that has not been looked at."""
        return self._speech.waiting

    async def more(self) -> Found:
        """What was found next."""
        found = await self._speech.more()
        self._spans += found.spans
        self._add(found)
        if found.done:
            self._noted((Found(tuple(self._spans), found.until_s, done=True),))
        return found


@dataclass(slots=True)
class Followed:
    """Speech as another's search finds it. Should that end before its time, one of its ``own``."""

    _flight: Flight
    _search: Callable[[], Awaitable[Speech]]
    _own: Speech | None = None
    _read: int = 0
    _until_s: float = 0.0  # where the last span that was told ends

    @property
    def waiting(self) -> bool:
        """Whether there is more that has not been looked at."""
        return self._own.waiting if self._own else self._read < len(self._flight.parts)

    async def more(self) -> Found:
        """What was found next."""
        found = await self._next()
        spans = tuple(span for span in found.spans if span.start_s >= self._until_s)
        self._until_s = max([self._until_s, *(span.end_s for span in spans)])
        return replace(found, spans=spans)

    async def _next(self) -> Found:
        flight = self._flight
        while self._read == len(flight.parts) and not flight.over.is_set():
            await flight.news.wait()
        if self._read < len(flight.parts):
            self._read += 1
            part: Found = flight.parts[self._read - 1]
            return part
        if flight.answer is not None:  # it was known, to whom this follows
            known: Found = flight.answer[0]
            return known
        self._own = self._own or await self._search()
        return await self._own.more()


@dataclass(frozen=True, slots=True)
class KeptSpeakers:
    """As the diarizer's address. ``network`` says which networks it has; what others say, because
    those could not be had, is not kept: ``voice_model`` is that of theirs.
    """

    diarizer: SpeakerFinder
    entries: Entries
    settings: SpeakerSettings
    network: str
    voice_model: str

    async def diarize(self, question: Diarize, *, progress: Callable[[float], None]) -> Diarization:
        """Who speaks when."""
        clips = [
            await trio.to_thread.run_sync(digest_of, clip.audio, trio.from_thread.check_cancelled)
            for clip in question.known
        ]
        key = self.entries.keys.speakers(self.network, question, clips, self.settings)

        def tell(share: float) -> None:
            progress(share)
            self.entries.shared.tell(key, share)

        return await self.entries.ask_one(
            key,
            Packing(self._record, load_diarization),
            partial(self.diarizer.diarize, question, progress=tell),
            progress=progress,
        )

    def _record(self, diarization: Diarization) -> bytes | None:
        ours = diarization.voice_model == self.voice_model
        return dump_diarization(diarization) if ours else None


@dataclass(frozen=True, slots=True)
class KeptWords:
    """As the aligner's address. ``network`` says which one is for a language."""

    aligner: WordFinder
    entries: Entries
    network: Callable[[str], Awaitable[str]]

    async def align(self, question: Align) -> tuple[Segment, ...]:
        """The segments, each with its words; one that could not be aligned is as it was asked."""
        asked = question.segments
        network = await self.network(question.language)
        keys = [self.entries.keys.words(network, each, question.language) for each in asked]
        answers: dict[int, tuple[Word, ...]] = {}

        async def work(places: Sequence[int], told: Told[tuple[Word, ...]], /) -> None:
            segments = tuple(asked[place] for place in places)
            aligned = await self.aligner.align(Align(question.audio, segments, question.language))
            for place, segment, found in zip(places, segments, aligned, strict=True):
                told(place, () if found.words is segment.words else found.words)

        await self.entries.ask(keys, WORDS, work, answers.__setitem__)
        return tuple(
            replace(segment, words=answers[place]) if answers[place] else segment
            for place, segment in enumerate(asked)
        )
