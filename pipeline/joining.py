"""Who said what: words and segments of a transcript, joined to the turns of those who speak.

A word is said by whoever speaks most of it. Speech recognition and diarization disagree by some
hundredths of a second about where anything begins; so a word that is short, of which its speaker
has little, and that stands alone between two words of one other speaker, is that one's.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from asr.pipeline.parting import Part, cut, find_words
from asr.pipeline.types import Word
from asr.pipeline.units import units_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asr.pipeline.speakers import Diarization, Turn
    from asr.pipeline.types import Segment

STRAY_S = 0.3  # whoever says a word as long as this is believed
FIRM = 2 / 3  # as is who has so much of a word


def attribute(
    segments: Iterable[Segment], diarization: Diarization, *, fill_nearest: bool, resegment: bool
) -> tuple[Segment, ...]:
    """The segments with their speakers, and their words with theirs; times and text stay.

    ``fill_nearest`` gives what is said outside every turn to the nearest one, so that nobody is
    without a speaker; else that has none. Words that could not be placed are said by who says those
    before them in their segment, or those after, and a segment by who says most of its words, in
    seconds; where no word is placed, the whole segment is looked at.

    With ``resegment`` a segment ends where the speaker changes between two words. What has no
    speaker stays with the words before it. The parts of a segment join to its text, words and
    tokens. Segments in order of time stay in order, within their old bounds. Where no word is
    placed, the text is taken to be spoken evenly.

    Work grows with the words and the logarithm of the turns. Doing it again changes nothing, unless
    a segment without placed words was split.
    """
    if not diarization.exclusive:
        return tuple(segments)
    turns = Turns(diarization.exclusive, fill_nearest=fill_nearest)
    if not resegment:
        return tuple(_named(segment, turns) for segment in segments)
    return tuple(_in_order(part for segment in segments for part in _parts(segment, turns)))


def ended_at_changes(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """Segments that have their speakers, ended where those change, as ``resegment`` would have it.

    Only where words are placed and know who says them.
    """
    return tuple(_in_order(part for segment in segments for part in _cut(segment, segment.words)))


def without_words(segments: Iterable[Segment]) -> tuple[Segment, ...]:
    """The segments without their words, if nobody asked for those."""
    return tuple(replace(segment, words=()) for segment in segments)


class Guess(NamedTuple):
    """Who says a word, if anybody does; ``firm``: by more than a few hundredths of a second."""

    speaker: str | None
    firm: bool


class Turns:
    """Turns in order of time, of which no two overlap, and who speaks in them."""

    def __init__(self, turns: Sequence[Turn], *, fill_nearest: bool) -> None:
        self._turns = turns
        self._starts_s = [turn.start_s for turn in turns]
        self._fill_nearest = fill_nearest

    def guess(self, start_s: float, end_s: float) -> Guess:
        """Who speaks most between two times, the first of those who speak as much."""
        shares: dict[str, float] = {}
        first = self._last_before(start_s)
        for turn in self._turns[first : bisect_left(self._starts_s, end_s, lo=first)]:
            share_s = min(end_s, turn.end_s) - max(start_s, turn.start_s)
            if share_s > 0:
                shares[turn.speaker] = shares.get(turn.speaker, 0.0) + share_s
        if not shares:
            return Guess(self._nearest(start_s, end_s) if self._fill_nearest else None, firm=False)
        speaker = max(shares, key=shares.__getitem__)
        length_s = end_s - start_s
        return Guess(speaker, firm=length_s >= STRAY_S or shares[speaker] >= FIRM * length_s)

    def _nearest(self, start_s: float, end_s: float) -> str:
        """Who speaks next to two times between which nobody does: as near as a turn's edge is."""
        at = self._last_before(start_s)
        before_and_after = self._turns[at : at + 2]
        return min(
            before_and_after, key=lambda turn: max(start_s - turn.end_s, turn.start_s - end_s)
        ).speaker

    def _last_before(self, time_s: float) -> int:
        """Of the turns that begin by a time, the last: those before it are over. Else the first."""
        return max(0, bisect_right(self._starts_s, time_s) - 1)


def _named(segment: Segment, turns: Turns) -> Segment:
    """The segment as it is, but with its speaker and those of its words."""
    words = _by_speakers(segment.words, turns)
    shares: dict[str, float] = {}
    for word in words:
        if word.speaker is not None:
            shares[word.speaker] = shares.get(word.speaker, 0.0) + _length_s(word)
    if shares:
        return replace(segment, words=words, speaker=max(shares, key=shares.__getitem__))
    speaker = turns.guess(segment.start_s, segment.end_s).speaker
    if not any(map(_length_s, words)):
        words = tuple(replace(word, speaker=speaker) for word in words)
    return replace(segment, words=words, speaker=speaker)


def _by_speakers(words: Sequence[Word], turns: Turns) -> tuple[Word, ...]:
    """The words of a segment with their speakers; unplaced ones have those of their neighbours."""
    guesses = [_guess(word, turns) for word in words]
    speakers = _without_strays(guesses)
    known = [speaker for speaker in speakers if speaker is not None]
    last = known[0] if known else None
    named: list[Word] = []
    for word, speaker in zip(words, speakers, strict=True):
        last = speaker or last
        named.append(replace(word, speaker=speaker if _length_s(word) else last))
    return tuple(named)


def _guess(word: Word, turns: Turns) -> Guess:
    if word.start_s is None or word.end_s is None or not _length_s(word):
        return Guess(None, firm=False)
    return turns.guess(word.start_s, word.end_s)


def _without_strays(guesses: Sequence[Guess]) -> list[str | None]:
    """Who says each word; one that nobody surely says is said by who says both its neighbours."""
    speakers = [guess.speaker for guess in guesses]
    known = [at for at, speaker in enumerate(speakers) if speaker is not None]
    for before, at, after in zip(known, known[1:], known[2:], strict=False):
        if not guesses[at].firm and speakers[before] == speakers[after]:
            speakers[at] = speakers[before]
    return speakers


def _length_s(word: Word) -> float:
    """How long a word lasts; 0 if it could not be placed, as much as if it has no length."""
    if word.start_s is None or word.end_s is None:
        return 0.0
    return max(0.0, word.end_s - word.start_s)


def _parts(segment: Segment, turns: Turns) -> Iterable[Segment]:
    """The segment, cut where the speaker changes."""
    named = _named(segment, turns)
    words = named.words
    if not any(map(_length_s, words)):
        evenly = (Word(unit.text, unit.start_s, unit.end_s) for unit in units_of(segment))
        words = _by_speakers(tuple(evenly), turns)
    return _cut(named, words)


def _cut(segment: Segment, words: Sequence[Word]) -> Iterable[Segment]:
    """The segment, cut where its words begin to be said by somebody else."""
    runs = list(_runs(segment.text, words))
    if len(runs) < 2:
        return (segment,)
    # All of the segment's time is somebody's.
    runs[0] = runs[0]._replace(first=0, start_s=segment.start_s)
    runs[-1] = runs[-1]._replace(end_s=segment.end_s)
    return cut(segment, runs)


def _runs(text: str, words: Sequence[Word]) -> Iterator[Part]:
    """Where in the text, when, and by whom: words that follow each other and have one speaker."""
    run: Part | None = None
    for word, first in zip(words, find_words(text, words), strict=True):
        if first is None or word.start_s is None or word.end_s is None or not _length_s(word):
            continue
        if run is None:
            run = Part(first, word.start_s, word.end_s, word.speaker)
        elif word.speaker in (None, run.speaker) or run.speaker is None:
            run = run._replace(
                start_s=min(run.start_s, word.start_s),
                end_s=max(run.end_s, word.end_s),
                speaker=run.speaker or word.speaker,
            )
        else:
            yield run
            space = first - len(text[:first].rstrip())
            run = Part(first - space, word.start_s, word.end_s, word.speaker)
    if run is not None:
        yield run


def _in_order(segments: Iterable[Segment]) -> Iterator[Segment]:
    """Segments whose starts and ends never run backwards, also if the words of one do."""
    start_s = end_s = 0.0
    for segment in segments:
        start_s, end_s = max(start_s, segment.start_s), max(end_s, segment.end_s)
        kept = (start_s, end_s) == (segment.start_s, segment.end_s)
        yield segment if kept else replace(segment, start_s=start_s, end_s=end_s)
