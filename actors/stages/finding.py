"""The workers' addresses for one audio: speech, speakers and words are found once."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.beside import beside
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

    from asr.actors.beside import Later
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
        news, found = trio.open_memory_channel[Found](math.inf)  # at most one a second of audio
        async with beside(partial(self._search, audio, Findings(news))) as searched:
            yield Reading(found, searched)

    async def _search(self, audio: Audio, news: Findings) -> None:
        """Hear all that is found, by another's search as long as there is one, else by our own.

        It is no reader who has the next block found: none waits for another one's decoding.
        """
        key = self.entries.keys.speech(self.network)
        shared = self.entries.shared
        with news.channel:
            answered = False
            while not answered:
                flight, leads = shared.claim(key, lead := Lead())
                if leads:
                    try:
                        await self._lead(key, audio, news)
                    finally:
                        shared.end([key], lead)
                else:
                    await _follow(flight, news)
                    if flight.answer is not None and self.entries.job:  # not yet this job's
                        self.entries.put(key, flight.answer, SPEECH)
                answered = flight.answer is not None

    async def _lead(self, key: str, audio: Audio, news: Findings) -> None:
        shared = self.entries.shared
        found = await self.entries.find([key], SPEECH)
        if key in found:
            shared.settle(key, found[key])
            news.tell(found[key][0])
            return
        spans: list[Span] = []
        async with self.listener.find_speech(audio) as speech:
            block = Found((), 0.0, done=False)
            while not block.done:
                block = await speech.more()
                spans += block.spans
                shared.add(key, block)
                news.tell(block)
        known = (Found(tuple(spans), block.until_s, done=True),)
        self.entries.put(key, known, SPEECH)
        shared.settle(key, known)


async def _follow(flight: Flight, news: Findings) -> None:
    told = 0
    while not flight.over.is_set() or told < len(flight.parts):
        if told == len(flight.parts):
            await flight.news.wait()
        else:
            news.tell(flight.parts[told])
            told += 1
    if flight.answer is not None and not told:  # it was known, to whom this follows
        news.tell(flight.answer[0])


@dataclass(slots=True)
class Findings:
    """Where what is found goes. A search that begins anew finds much again: that is no news."""

    channel: trio.MemorySendChannel[Found]
    _until_s: float = 0.0  # where the last span that was told ends

    def tell(self, found: Found) -> None:
        """Some of this may be known."""
        spans = tuple(span for span in found.spans if span.start_s >= self._until_s)
        self._until_s = max([self._until_s, *(span.end_s for span in spans)])
        self.channel.send_nowait(replace(found, spans=spans))


@dataclass(frozen=True, slots=True)
class Reading:
    """Speech as a search finds it."""

    _found: trio.MemoryReceiveChannel[Found]
    _searched: Later[None]

    @property
    def waiting(self) -> bool:
        """Whether there is more that has not been looked at."""
        return self._found.statistics().current_buffer_used > 0

    async def more(self) -> Found:
        """What was found next. Raises EngineRestarted."""
        try:
            return await self._found.receive()
        except trio.EndOfChannel:
            await self._searched.result()
            raise


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
