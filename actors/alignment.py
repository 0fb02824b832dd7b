"""When words are spoken: a window's are found while the next one is decoded."""

from __future__ import annotations

import math
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.beside import Later, beside
from asr.actors.trail import stage
from asr.pipeline.errors import AsrError
from asr.pipeline.speakers import Align

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence

    from asr.actors.librarian import Librarian
    from asr.actors.stages.addresses import WordFinder
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import Options, Segment

ATTENTION = "word times come from Whisper's own attention"

# How long a request waits for a network that has to be downloaded first: 0.4 GB come in a minute
# over most lines, and clients wait for a transcript that long. The download itself goes on.
DOWNLOAD_PATIENCE_S = 60.0


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
    _later: Later[Timed] | None = None
    _warnings: tuple[str, ...] = ()  # where nobody is to find them

    def take(self, segments: Sequence[Segment], language: str) -> None:
        """Find the words of what was decoded next."""
        if self._later is not None and segments:
            self._post.send_nowait(Align(self._audio, tuple(segments), language))

    async def of(self, segments: tuple[Segment, ...]) -> Timed:
        """All the segments that were taken, when their words are found; nothing can be taken after.

        They come back as they were if nobody was to find their words, or did so in time.
        """
        self._post.close()
        if self._later is None:
            return Timed(segments, self._warnings)
        timed = await self._later.in_time()
        return timed or Timed(segments, (_said("the aligner was not done in time"),))


@asynccontextmanager
async def words_beside(
    options: Options, audio: Audio, aligner: WordFinder | None, letters: Librarian
) -> AsyncIterator[WordTimes]:
    """Have words found, if they are to be shown, beside what the block does."""
    # No bound of its own: it holds what the transcript holds anyway.
    post, inbox = trio.open_memory_channel[Align](math.inf)
    with post, inbox:
        if not options.words:
            yield WordTimes(audio, post)
            return
        if options.task == "translate":
            yield WordTimes(audio, post, _warnings=(_said("a translation is not in the audio"),))
            return
        if aligner is None:
            yield WordTimes(audio, post, _warnings=(_said("the aligner is turned off here"),))
            return
        work = partial(_align, inbox, aligner, letters)
        async with beside(work) as later:
            yield WordTimes(audio, post, later)


async def _align(
    inbox: trio.MemoryReceiveChannel[Align], aligner: WordFinder, letters: Librarian
) -> Timed:
    segments: list[Segment] = []
    unplaced = 0
    failure: str | None = None
    async for first in inbox:
        with stage("align", beside=True):
            failure = failure or await _lack(letters, first.language)
        asked = _with_more(first, inbox)
        answered = asked.segments
        if failure is None:
            try:
                with stage("align", beside=True):
                    answered = await aligner.align(asked)
                unplaced += sum(map(_has_kept_its_words, asked.segments, answered))
            except AsrError as error:  # a transcript never fails for that
                failure = error.message
        segments += answered
    return Timed(tuple(segments), tuple(_warnings(failure, unplaced)))


async def _lack(letters: Librarian, language: str) -> str | None:
    """Why the network for a language is not on this disk; None once it is."""
    with trio.move_on_after(DOWNLOAD_PATIENCE_S):
        try:
            await letters.fetch(language)
        except AsrError as error:
            return error.message
        return None
    return f"the alignment model for {language!r} is still being fetched"


def _has_kept_its_words(asked: Segment, answered: Segment) -> bool:
    return answered.words is asked.words


def _warnings(failure: str | None, unplaced: int) -> Iterator[str]:
    if failure is not None:
        yield _said(failure)
    elif unplaced:
        yield (
            f"{ATTENTION} in {unplaced} segment{'s' if unplaced > 1 else ''}, "
            "whose words the aligner could not place"
        )


def _said(reason: str) -> str:
    return f"{ATTENTION}: {reason}"


def _with_more(question: Align, inbox: trio.MemoryReceiveChannel[Align]) -> Align:
    """A question, and those that wait behind it: many segments at once cost less."""
    segments = [*question.segments]
    with suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            segments += inbox.receive_nowait().segments
    return Align(question.audio, tuple(segments), question.language)
