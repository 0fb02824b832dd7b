"""What OpenAI calls speakers: a letter each, unless their names are known."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import count, product
from string import ascii_uppercase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asr.pipeline.types import Segment, Transcript, Word

LABEL = re.compile(r"SPEAKER_\d+")  # of one who is not known by name


def lettered(transcript: Transcript) -> Transcript:
    """The transcript with a speaker for each segment, as OpenAI calls them, and so of its words.

    They are "A", "B" and so on in the order in which they are first heard, known ones have their
    names. Whoever is unknown has a letter, too, and all of them the same. Doing it again changes
    nothing.
    """
    letters = _speaker_letters(transcript.segments)
    segments = (
        replace(segment, speaker=letters[segment.speaker], words=_words(segment, letters))
        for segment in transcript.segments
    )
    return replace(transcript, segments=tuple(segments))


def _words(segment: Segment, letters: Mapping[str | None, str]) -> tuple[Word, ...]:
    """Its words by the same letters; of whom nobody knows who says them, that stays so."""
    return tuple(
        replace(word, speaker=letters[word.speaker]) if word.speaker else word
        for word in segment.words
    )


def _speaker_letters(segments: Sequence[Segment]) -> dict[str | None, str]:
    """What each speaker is called: a letter that is nobody's name, or the name that is known."""
    heard = dict.fromkeys(segment.speaker for segment in segments)
    heard |= dict.fromkeys(w.speaker for s in segments for w in s.words if w.speaker)
    names = {who for who in heard if who is not None and not LABEL.fullmatch(who)}
    free = (letter for letter in _letters() if letter not in names)
    return {who: who if who is not None and who in names else next(free) for who in heard}


def _letters() -> Iterator[str]:
    """A to Z, then AA to ZZ, and so on without end."""
    for length in count(1):
        yield from map("".join, product(ascii_uppercase, repeat=length))
