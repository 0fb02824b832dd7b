"""Words and segments get their speakers: whatever is said, and whoever speaks."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import inf
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from asr.pipeline.joining import attribute, ended_at_changes
from asr.pipeline.speakers import Diarization, Turn
from asr.pipeline.types import Segment, Token, Word

if TYPE_CHECKING:
    from collections.abc import Sequence

# Whole numbers of 1/16 s: sums of them are exact, and equal times occur.
SIXTEENTHS = st.integers(0, 16 * 20).map(lambda count: count / 16)
TEXTS = st.sampled_from([" a", " the", " Hm,", " née", " 5.", "你", "好。", " --", " a b", " 😀"])
SPEAKERS = st.sampled_from(["SPEAKER_00", "SPEAKER_01", "Zoë"])


@st.composite
def diarizations(draw: st.DrawFn) -> Diarization:
    """Turns of which no two overlap; some have no length, some touch."""
    times = sorted(draw(st.lists(SIXTEENTHS, max_size=12)))
    turns = [Turn(*span, draw(SPEAKERS)) for span in pairwise(times) if draw(st.booleans())]
    return Diarization(tuple(turns), tuple(turns))


@st.composite
def words(draw: st.DrawFn, start_s: float, end_s: float) -> Word:
    """A word somewhere in a segment, in no order; or one that could not be placed."""
    text = draw(TEXTS)
    if draw(st.integers(0, 4)) == 0:
        return Word(text)
    one_s, other_s = (min(max(draw(SIXTEENTHS), start_s), end_s) for _ in range(2))
    return Word(text, min(one_s, other_s), max(one_s, other_s), 0.5)


@st.composite
def transcripts(draw: st.DrawFn) -> tuple[Segment, ...]:
    """Segments as an assembly makes them: starts and ends never run backwards."""
    starts_s = sorted(draw(st.lists(SIXTEENTHS, max_size=4)))
    end_s, segments = 0.0, []
    for start_s in starts_s:
        end_s = max(end_s, start_s + 1 / 16 + draw(SIXTEENTHS) / 2)
        said = tuple(draw(st.lists(words(start_s, end_s), min_size=1, max_size=8)))
        text = "".join(word.text for word in said)
        segments.append(draw(segments_of(start_s, end_s, text, said)))
    return tuple(segments)


@st.composite
def segments_of(
    draw: st.DrawFn, start_s: float, end_s: float, text: str, said: tuple[Word, ...]
) -> Segment:
    """One segment, with or without its words, and with or without the bytes of its tokens."""
    cuts = sorted(draw(st.lists(st.integers(1, len(text.encode())), max_size=6)))
    bounds = pairwise([0, *cuts, len(text.encode())])
    spelled = [text.encode()[a:b] for a, b in bounds if b > a]
    stamps = draw(st.sampled_from([((), ()), ((50364,), ()), ((50364,), (50400,))]))
    return Segment(
        *(start_s, end_s, text, (*stamps[0], *range(len(spelled)), *stamps[1]), 0.0),
        *(0.2, -0.25, 0.125, 1.5),
        words=said if draw(st.integers(0, 3)) else (),
        said=tuple(Token(share, -0.5) for share in spelled) if draw(st.booleans()) else (),
    )


def bare(said: Sequence[Word]) -> list[Word]:
    return [replace(word, speaker=None) for word in said]


def is_placed(word: Word) -> bool:
    return word.start_s is not None and word.end_s is not None and word.end_s > word.start_s


FLAGS = st.booleans()


@given(transcripts(), diarizations(), FLAGS, FLAGS)
def test_all_that_was_said_is_said_once_and_in_order(
    said: tuple[Segment, ...], heard: Diarization, fill: bool, resegment: bool
) -> None:
    told = attribute(said, heard, fill_nearest=fill, resegment=resegment)
    assert "".join(part.text for part in told) == "".join(whole.text for whole in said)
    assert [w for part in told for w in bare(part.words)] == [w for s in said for w in s.words]
    assert [t for part in told for t in part.tokens] == [t for s in said for t in s.tokens]
    assert [t for part in told for t in part.said] == [t for s in said for t in s.said]
    assert all(part.text.strip() for part in told)


@given(transcripts(), diarizations(), FLAGS)
def test_whole_segments_change_in_nothing_but_their_speakers(
    said: tuple[Segment, ...], heard: Diarization, fill: bool
) -> None:
    told = attribute(said, heard, fill_nearest=fill, resegment=False)
    plain = (replace(part, speaker=None, words=tuple(bare(part.words))) for part in told)
    assert tuple(plain) == said


@given(transcripts(), diarizations(), FLAGS)
def test_parts_are_within_their_segments_and_in_order_of_time(
    said: tuple[Segment, ...], heard: Diarization, fill: bool
) -> None:
    told = list(attribute(said, heard, fill_nearest=fill, resegment=True))
    for one, other in pairwise(told):
        assert (one.start_s <= other.start_s, one.end_s <= other.end_s) == (True, True)
    for whole in said:
        text, latest_s = whole.text, -inf
        while text:
            part = told.pop(0)
            assert text.startswith(part.text)
            assert whole.start_s <= part.start_s < part.end_s <= whole.end_s
            text, latest_s = text[len(part.text) :], part.end_s
        assert latest_s == whole.end_s


@given(transcripts(), diarizations(), FLAGS, FLAGS)
def test_speakers_are_those_of_the_turns_and_in_parts_there_is_one(
    said: tuple[Segment, ...], heard: Diarization, fill: bool, resegment: bool
) -> None:
    known = {turn.speaker for turn in heard.exclusive}
    for part in attribute(said, heard, fill_nearest=fill, resegment=resegment):
        saying = {word.speaker for word in part.words if word.speaker}
        assert saying | ({part.speaker} - {None}) <= known
        assert not resegment or saying <= {part.speaker}
        assert not saying or part.speaker in saying


@given(transcripts(), diarizations(), FLAGS)
def test_nobody_is_without_a_speaker_if_the_nearest_may_fill_in(
    said: tuple[Segment, ...], heard: Diarization, resegment: bool
) -> None:
    told = attribute(said, heard, fill_nearest=True, resegment=resegment)
    speakers = [s.speaker for s in told] + [w.speaker for s in told for w in s.words]
    assert all(speakers) or not heard.exclusive


@given(transcripts(), diarizations(), FLAGS, FLAGS)
def test_a_second_time_changes_nothing_where_words_have_times(
    said: tuple[Segment, ...], heard: Diarization, fill: bool, resegment: bool
) -> None:
    placed = tuple(s for s in said if any(map(is_placed, s.words)))
    once = attribute(placed, heard, fill_nearest=fill, resegment=resegment)
    assert attribute(once, heard, fill_nearest=fill, resegment=resegment) == once


@given(transcripts(), diarizations(), FLAGS)
def test_who_says_a_word_does_not_depend_on_where_segments_end(
    said: tuple[Segment, ...], heard: Diarization, fill: bool
) -> None:
    placed = tuple(s for s in said if any(map(is_placed, s.words)))
    whole, parted = (
        attribute(placed, heard, fill_nearest=fill, resegment=resegment)
        for resegment in (False, True)
    )
    assert [w for s in whole for w in s.words] == [w for s in parted for w in s.words]


@given(transcripts(), diarizations(), FLAGS, FLAGS)
def test_a_word_that_one_speaker_says_wholly_is_that_ones(
    said: tuple[Segment, ...], heard: Diarization, fill: bool, resegment: bool
) -> None:
    for part in attribute(said, heard, fill_nearest=fill, resegment=resegment):
        for word in filter(is_placed, part.words):
            for turn in heard.exclusive:
                if turn.start_s <= (word.start_s or 0.0) and (word.end_s or 0.0) <= turn.end_s:
                    assert word.speaker == turn.speaker


@given(transcripts(), diarizations(), FLAGS)
def test_segments_can_be_ended_at_changes_later_too(
    said: tuple[Segment, ...], heard: Diarization, fill: bool
) -> None:
    placed = tuple(one for one in said if any(map(is_placed, one.words)))
    whole = attribute(placed, heard, fill_nearest=fill, resegment=False)
    assert ended_at_changes(whole) == attribute(placed, heard, fill_nearest=fill, resegment=True)
