"""Segments to cues: what stands on the screen together, and how its lines are broken.

Where there is a choice, a cue ends after a sentence, else after a clause or a breath, else so that
the shares are even; and so does a line. Text keeps its order, right-to-left text too: players turn
it around.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from asr.pipeline.cuts import PAUSE_S, cut_into_cues, cut_into_lines
from asr.pipeline.scripts import width
from asr.pipeline.units import units_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asr.pipeline.types import Segment
    from asr.pipeline.units import Unit

GLIMPSE_S = 0.1  # what has no time of its own is shown for that long


@dataclass(frozen=True, slots=True)
class Layout:
    """How subtitles are laid out. What is None is as the segments have it; numbers are positive.

    The first four are openai-whisper's options. As there, cues keep to the segments unless width
    and lines are both given: then text flows from segment to segment and fills the cues. And as
    there, the words of a line are those of a cue unless text flows. ``cue_s_max`` is ours.
    """

    line_width_max: int | None = None  # columns, two for a wide character; a wider word stays whole
    lines_max: int | None = None
    line_words_max: int | None = None
    highlight_words: bool = False  # a cue for each word, underlined while it is spoken
    cue_s_max: float | None = None  # no cue stands longer, in seconds

    @property
    def plain(self) -> bool:
        """Whether there is nothing to lay out: a cue is a segment."""
        return self == AS_SEGMENTS

    @property
    def flowing(self) -> bool:
        """Whether cues may hold text of several segments."""
        return self.line_width_max is not None and self.lines_max is not None

    @property
    def wants_words(self) -> bool:
        """Whether the times of words are needed to do this well: cues end inside segments."""
        inside = self.line_words_max is not None or self.cue_s_max is not None
        return self.flowing or inside or self.highlight_words


class Mark(NamedTuple):
    """The word that is spoken just now: its line, and where in that it begins and ends."""

    line: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Cue:
    """Lines that stand on the screen from one time to another, at most one word of them marked."""

    start_s: float
    end_s: float
    lines: tuple[str, ...]
    mark: Mark | None = None


AS_SEGMENTS = Layout()


def lay_out(
    segments: Iterable[Segment], layout: Layout = AS_SEGMENTS, *, speakers: bool = False
) -> tuple[Cue, ...]:
    """The cues of segments that are in order of time; ``speakers`` puts "[SPEAKER_00] " in front.

    Cues are in order of time and overlap only where segments do. A new speaker has a new cue, and
    the first word stays with the speaker's name, whatever the width. Words that could not be placed
    have their times between their neighbours, or of their share of the text where no word was
    placed at all; such text is never highlighted. What has no length at all is lent some.
    """
    said = tuple(saying(segments))
    if not said:
        return ()
    show = _as_segments if layout.plain else _laid_out
    cues = tuple(show(said, layout, speakers=speakers))
    return tuple(_in_time(cues, said[0].start_s, max(segment.end_s for segment in said)))


def guesses_times(segments: Iterable[Segment], layout: Layout) -> bool:
    """Whether the layout wants times of words that segments do not have."""
    return layout.wants_words and not all(
        any(word.start_s is not None for word in segment.words) for segment in segments
    )


def saying(segments: Iterable[Segment]) -> Iterator[Segment]:
    """The segments with text: one that somebody has emptied is as good as taken out."""
    return (segment for segment in segments if one_line(segment.text))


def milliseconds(seconds: float) -> int:
    """As subtitles count."""
    return round(seconds * 1000)


def one_line(text: str) -> str:
    """Text without line breaks: a blank line would end a cue, any a row."""
    return " ".join(filter(None, map(str.strip, text.splitlines())))


def prefix(speaker: str | None, *, speakers: bool) -> str:
    """What is in front of somebody's words, once speakers are asked for."""
    return f"[{one_line(speaker)}] " if speakers and speaker else ""


def _as_segments(segments: Iterable[Segment], _: Layout, *, speakers: bool) -> Iterator[Cue]:
    for segment in segments:
        line = prefix(segment.speaker, speakers=speakers) + one_line(segment.text)
        yield Cue(segment.start_s, segment.end_s, (line,))


def _laid_out(segments: Iterable[Segment], layout: Layout, *, speakers: bool) -> Iterator[Cue]:
    for passage in _passages(segments, layout):
        label = prefix(passage[0].speaker, speakers=speakers)
        for units in cut_into_cues(passage, layout, width(label)):
            yield from _shown(units, layout, label)


def _in_time(cues: Sequence[Cue], from_s: float, until_s: float) -> list[Cue]:
    """Cues whose starts never run backwards, also where segments overlap, each to be seen.

    WebVTT forbids cues without length, and no player shows them. The cues after such a one wait for
    it; at the end there is nothing to wait in, and those before it make room.
    """
    glimpse_s = min(GLIMPSE_S, (until_s - from_s) / (len(cues) + 1))  # there is as much for all
    shown = list(_in_order(cues, glimpse_s))
    for at, cue in reversed([*enumerate(shown)]):
        start_s, end_s = cue.start_s, min(cue.end_s, until_s)
        if not _is_seen(start_s, end_s):
            start_s = until_s = min(start_s, end_s - glimpse_s)
        shown[at] = replace(cue, start_s=start_s, end_s=end_s)
    return shown


def _in_order(cues: Iterable[Cue], glimpse_s: float) -> Iterator[Cue]:
    free_s = 0.0
    for cue in cues:
        start_s = free_s = max(free_s, cue.start_s)
        end_s = max(start_s, cue.end_s)
        if not _is_seen(start_s, end_s):
            end_s = free_s = start_s + glimpse_s
        yield replace(cue, start_s=start_s, end_s=end_s)


def _is_seen(start_s: float, end_s: float) -> bool:
    return milliseconds(start_s) < milliseconds(end_s)


def _passages(segments: Iterable[Segment], layout: Layout) -> Iterator[list[Unit]]:
    """Text that may share cues: of one speaker, and unless it flows, of one segment."""
    open_: list[Unit] = []
    for segment in segments:
        if open_ and not layout.flowing:
            yield open_
            open_ = []
        for unit in units_of(segment):
            if open_ and _parted(open_[-1], unit, layout):
                yield open_
                open_ = []
            open_.append(unit)
    if open_:
        yield open_


def _parted(before: Unit, unit: Unit, layout: Layout) -> bool:
    silent = unit.start_s - before.end_s > PAUSE_S
    return unit.speaker != before.speaker or (layout.flowing and silent)


def _shown(units: Sequence[Unit], layout: Layout, label: str) -> Iterator[Cue]:
    """Units that stand together: one cue, or one for each word when words are highlighted."""
    cut = cut_into_lines(units, layout, width(label))
    set_lines = [_set(line, "" if number else label) for number, line in enumerate(cut)]
    start_s, end_s = units[0].start_s, max(unit.end_s for unit in units)
    if layout.cue_s_max is not None:  # a word by itself may last longer
        end_s = min(end_s, start_s + layout.cue_s_max)
    cue = Cue(start_s, end_s, tuple(text for text, _ in set_lines))
    if not layout.highlight_words:
        yield cue
        return
    marks = [Mark(number, *place) for number, (_, row) in enumerate(set_lines) for place in row]
    yield from _highlighted(cue, zip(units, marks, strict=True))


def _set(units: Sequence[Unit], label: str) -> tuple[str, list[tuple[int, int]]]:
    """A line of units, and where each of them begins and ends in it."""
    line, places = label, list[tuple[int, int]]()
    for unit in units:
        line += " " if places and unit.spaced else ""
        places.append((len(line), len(line) + len(unit.text)))
        line += unit.text
    return line, places


def _highlighted(cue: Cue, words: Iterable[tuple[Unit, Mark]]) -> Iterator[Cue]:
    """The cue again and again, each word marked while it is spoken, and none in between.

    Words that nobody can see are not marked.
    """
    now_s = cue.start_s
    for word, mark in words:
        start_s, end_s = (min(max(t, now_s), cue.end_s) for t in (word.start_s, word.end_s))
        if not word.placed or not _is_seen(start_s, end_s):
            continue
        if _is_seen(now_s, start_s):
            yield replace(cue, start_s=now_s, end_s=start_s)
        yield replace(cue, start_s=start_s, end_s=end_s, mark=mark)
        now_s = end_s
    if _is_seen(now_s, cue.end_s) or now_s == cue.start_s:
        yield replace(cue, start_s=now_s)
