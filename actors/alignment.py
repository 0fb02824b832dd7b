"""When words are spoken: a window's are found while the next one is decoded."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.beside import Later, beside
from asr.pipeline.errors import AsrError
from asr.pipeline.speakers import Align

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from asr.actors.aligner import Aligner
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import Options, Segment


@dataclass(frozen=True, slots=True)
class Timed:
    """Segments with the times of their words, and why some came from Whisper's own attention."""

    segments: tuple[Segment, ...]
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WordTimes:
    """Takes segments as they are decoded, which have the words of Whisper's attention."""

    _audio: Audio
    _post: trio.MemorySendChannel[Align]
    _later: Later[Timed] | None

    def take(self, segments: Sequence[Segment], language: str) -> None:
        """Find the words of what was decoded next."""
        if self._later is not None and segments:
            self._post.send_nowait(Align(self._audio, tuple(segments), language))

    async def of(self, segments: tuple[Segment, ...]) -> Timed:
        """All the segments that were taken, when their words are found; nothing can be taken after.

        They come back as they were if nobody was to find their words.
        """
        self._post.close()
        return Timed(segments) if self._later is None else await self._later.result()


@asynccontextmanager
async def words_beside(
    options: Options, audio: Audio, aligner: Aligner | None
) -> AsyncIterator[WordTimes]:
    """Have words found, if they are to be shown, beside what the block does."""
    # No bound of its own: it holds what the transcript holds anyway.
    post, inbox = trio.open_memory_channel[Align](math.inf)
    wanted = options.words and options.task != "translate"  # its words are not in the audio
    with post, inbox:
        if aligner is None or not wanted:
            yield WordTimes(audio, post, None)
            return
        async with beside(partial(_align, inbox, aligner)) as later:
            yield WordTimes(audio, post, later)


async def _align(inbox: trio.MemoryReceiveChannel[Align], aligner: Aligner) -> Timed:
    segments: list[Segment] = []
    unplaced = 0
    failure: str | None = None
    async for first in inbox:
        asked = _with_more(first, inbox)
        answered = asked.segments
        if failure is None:
            try:
                answered = await aligner.align(asked)
                unplaced += sum(map(_has_kept_its_words, asked.segments, answered))
            except AsrError as error:  # a transcript never fails for that
                failure = error.message
        segments += answered
    return Timed(tuple(segments), tuple(_warnings(failure, unplaced)))


def _has_kept_its_words(asked: Segment, answered: Segment) -> bool:
    return answered.words is asked.words


def _warnings(failure: str | None, unplaced: int) -> Iterator[str]:
    attention = "word times come from Whisper's own attention"
    if failure is not None:
        yield f"{attention}: {failure}"
    elif unplaced:
        yield f"{attention} in {unplaced} segments, whose words the aligner could not place"


def _with_more(question: Align, inbox: trio.MemoryReceiveChannel[Align]) -> Align:
    """A question, and those that wait behind it: many segments at once cost less."""
    segments = [*question.segments]
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            segments += inbox.receive_nowait().segments
    return Align(question.audio, tuple(segments), question.language)
