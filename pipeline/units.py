"""Segments to units: what must not be broken on a screen, when it was spoken, and by whom.

The segment's text is what counts: every word of it is in one unit. The words that were timed say
when; what is between them shares the time between them, by characters.
"""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from asr.pipeline.scripts import is_spaceless, parts, width

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr.pipeline.types import Segment


class Unit(NamedTuple):
    """A word, or a character where there are no spaces between words; ``width`` is in columns.

    ``spaced``: a space is before it, unless a line begins with it. ``placed``: its segment has
    times of words, so that the unit's own are more than a guess.
    """

    text: str
    start_s: float
    end_s: float
    width: int
    speaker: str | None
    spaced: bool
    placed: bool


class Stretch(NamedTuple):
    """Characters that were spoken evenly: those of a timed word, or those between two."""

    first: int
    last: int
    start_s: float
    end_s: float
    speaker: str | None

    def at_s(self, character: int) -> float:
        """When a character of the stretch begins, or the last one ends."""
        share = (character - self.first) / (self.last - self.first)
        return min(self.start_s + share * (self.end_s - self.start_s), self.end_s)


def units_of(segment: Segment) -> Iterator[Unit]:
    """The units of a segment in order: within its times, never running backwards."""
    text = segment.text
    stretches = _stretches(segment)
    firsts = [stretch.first for stretch in stretches]
    placed = any(word.start_s is not None for word in segment.words)
    for (first, last), (following, _) in pairwise([*parts(text), (len(text), len(text))]):
        part = text[first:last]
        letter, end = last - len(part.lstrip()), first + len(part.rstrip())  # no-break spaces
        begins = stretches[bisect_right(firsts, letter) - 1]
        ends = stretches[bisect_right(firsts, end - 1) - 1]
        yield Unit(
            part,
            begins.at_s(letter),
            ends.at_s(min(following, ends.last)),  # a guess knows no pauses
            width(part),
            begins.speaker,
            # The text of a segment begins with a space, but not every model writes it.
            spaced=text[first - 1].isspace() if first else not is_spaceless(text[0]),
            placed=placed,
        )


def _stretches(segment: Segment) -> list[Stretch]:
    """All that a segment says, in stretches: timed words, and what lies between them."""
    known = [word.speaker for word in segment.words if word.speaker]
    last = Stretch(0, 0, segment.start_s, segment.start_s, known[0] if known else segment.speaker)
    stretches: list[Stretch] = []
    for word in _timed(segment):
        start_s, end_s = (min(max(t, last.end_s), segment.end_s) for t in word[2:4])
        stretches += _between(segment.text, last, word.first, until_s=start_s)
        last = Stretch(
            word.first, word.last, start_s, max(start_s, end_s), word.speaker or last.speaker
        )
        stretches.append(last)
    return stretches + _between(segment.text, last, len(segment.text), until_s=segment.end_s)


def _timed(segment: Segment) -> Iterator[Stretch]:
    """The words that have times, where they stand in the text."""
    at = 0
    for word in segment.words:
        spelled = word.text.strip()
        first = segment.text.find(spelled, at)
        if not spelled or first < 0:
            continue
        at = first + len(spelled)
        if word.start_s is not None and word.end_s is not None:
            yield Stretch(first, at, word.start_s, word.end_s, word.speaker)


def _between(text: str, last: Stretch, first: int, *, until_s: float) -> list[Stretch]:
    """What is said between the last stretch and the character of the next: nothing, if spaces."""
    gap = text[last.last : first]
    if not gap.strip():
        return []
    begins = last.last + len(gap) - len(gap.lstrip())
    return [Stretch(begins, begins + len(gap.strip()), last.end_s, until_s, last.speaker)]
