"""Where units are cut into cues, and cues into lines: the cheapest way, found by trying them all.

A part costs the square of how full it is, so that shares are even, and what the break after it
costs (``scripts.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from asr.pipeline.scripts import AFTER_CLAUSE, AFTER_SENTENCE, break_cost

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asr.pipeline.cues import Layout
    from asr.pipeline.units import Unit

PAUSE_S = 1.5  # silence that parts as a sentence does
BREATH_S = 0.4  # silence that parts as a comma does
BRIEF_S = 1.0  # a cue that stands shorter than this is hard to read
BRIEF = 2.0  # what each second less costs
STRADDLING = 1.0  # the end of one sentence and the beginning of another
UNITS_MAX = 100  # of a cue: bounds the work where nothing else does; no screen holds more words
LINE = 1e6  # one line more is worse than any break
ORPHAN = 3.0  # a word alone on the last line, unless it is a sentence
CHARACTER_WIDTH = 4  # columns, with the full stop after it

# For a first unit, each end that its part may have, and what that part costs.
Reach = Callable[[int], Iterable[tuple[int, float]]]


def cut_into_cues(units: Sequence[Unit], layout: Layout, label_width: int) -> Iterator[list[Unit]]:
    """Units that may stand together, cut so that each cue is within the layout.

    One unit is a cue whatever its size. Work grows with the units times those of a cue; and so does
    what is written where words are highlighted.
    """
    parted = layout.line_words_max or layout.cue_s_max or layout.highlight_words
    if not (layout.flowing or parted):
        return iter([list(units)])
    cue_s_max = layout.cue_s_max or inf
    breaks = _break_costs(units)

    def reach(first: int) -> Iterator[tuple[int, float]]:
        filling = _Filling(layout, label_width)
        start_s = end_s = units[first].start_s
        straddling = 0.0
        for at in range(first, len(units)):
            end_s = max(end_s, units[at].end_s)
            full = max(filling.add(units[at]), (end_s - start_s) / cue_s_max)
            if full > 1.0 and at > first:
                return
            brief = BRIEF * max(0.0, BRIEF_S - (end_s - start_s))
            if breaks[at] == AFTER_SENTENCE:
                straddling = STRADDLING
            unfinished = straddling if breaks[at] > AFTER_SENTENCE else 0.0
            yield at + 1, 1.0 + full * full + brief + breaks[at] + unfinished

    return _cut(units, reach)


def cut_into_lines(units: Sequence[Unit], layout: Layout, label_width: int) -> Iterator[list[Unit]]:
    """The units of a cue, cut into as few lines as their width allows."""
    width_max = layout.line_width_max or inf
    words_max = (layout.flowing and layout.line_words_max) or inf
    if width_max == words_max == inf:
        return iter([list(units)])
    breaks = _break_costs(units)

    def reach(first: int) -> Iterator[tuple[int, float]]:
        line_width = 0 if first else label_width
        for at in range(first, len(units)):
            line_width += units[at].width + (units[at].spaced and at > first)
            if at > first and (line_width > width_max or at - first >= words_max):
                return
            orphaned = 0 < first == at == len(units) - 1 and breaks[first - 1] > AFTER_SENTENCE
            orphan = ORPHAN if orphaned and _is_little(units[at]) else 0.0
            yield at + 1, LINE + (line_width / width_max) ** 2 + breaks[at] + orphan

    return _cut(units, reach)


def _cut(units: Sequence[Unit], reach: Reach) -> Iterator[list[Unit]]:
    """The parts that cost least together. Every unit can be a part by itself."""
    costs = [0.0, *[inf] * len(units)]
    origins = [0] * len(costs)
    for first in range(len(units)):
        for end, cost in reach(first):
            if costs[first] + cost < costs[end]:
                costs[end], origins[end] = costs[first] + cost, first
    ends = [len(units)]
    while ends[-1] > 0:
        ends.append(origins[ends[-1]])
    return (list(units[first:end]) for first, end in pairwise(reversed(ends)))


def _is_little(unit: Unit) -> bool:
    """A word between spaces, or a character: not a word of Latin letters in Japanese."""
    return unit.spaced or unit.width <= CHARACTER_WIDTH


def _break_costs(units: Sequence[Unit]) -> list[float]:
    """What a break after each unit costs; the end is free."""
    return [*(_break_cost(*pair) for pair in pairwise(units)), 0.0]


def _break_cost(before: Unit, after: Unit) -> float:
    silence_s = after.start_s - before.end_s
    if silence_s > PAUSE_S:
        return AFTER_SENTENCE
    cost = break_cost(before.text, after.text, spaced=after.spaced)
    return min(cost, AFTER_CLAUSE) if silence_s > BREATH_S else cost


class _Filling:
    """A cue as it fills up, each line as far as it goes: that tells whether the lines suffice."""

    def __init__(self, layout: Layout, label_width: int) -> None:
        flowing = layout.flowing
        self._width_max = (flowing and layout.line_width_max) or inf
        self._lines_max = (flowing and layout.lines_max) or 1
        self._line_words_max = layout.line_words_max or inf
        self._width_of_all = self._width_max * self._lines_max
        self._words_max = min(self._line_words_max * self._lines_max, UNITS_MAX)
        self._width = self._line_width = label_width
        self._words = self._line_words = 0
        self._lines = 1

    def add(self, unit: Unit) -> float:
        """How full the cue is with one unit more: over 1 it is too much."""
        space = unit.spaced and self._line_words > 0
        self._words += 1
        self._width += unit.width + space
        self._line_words += 1
        self._line_width += unit.width + space
        crowded = self._line_width > self._width_max and self._line_words > 1
        if crowded or self._line_words > self._line_words_max:
            self._lines += 1
            self._line_width, self._line_words = unit.width, 1
            if self._lines > self._lines_max:
                return inf
        return max(self._width / self._width_of_all, self._words / self._words_max)
