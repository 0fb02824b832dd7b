"""Words and segments get their speakers: by example."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asr.pipeline.joining import attribute, without_words
from asr.pipeline.speakers import Diarization, Turn
from asr.pipeline.types import Segment, Token, Word

TurnOf = tuple[float, float, str]


def segment(start_s: float, end_s: float, text: str, *words: Word) -> Segment:
    return Segment(start_s, end_s, text, (), 0.0, 0.2, -0.25, 0.125, 1.5, words)


def spoken(start_s: float, text: str, *, word_s: float = 0.5) -> Segment:
    """A segment whose words all last as long, without pauses."""
    words = [
        Word(f" {word}", start_s + at * word_s, start_s + (at + 1) * word_s, 0.9)
        for at, word in enumerate(text.split())
    ]
    return segment(start_s, start_s + len(words) * word_s, f" {text}", *words)


def diarization(*turns: TurnOf) -> Diarization:
    exclusive = tuple(Turn(*turn) for turn in turns)
    return Diarization(exclusive, exclusive)


def speakers(said: Segment, *turns: TurnOf, fill: bool = False) -> str:
    """The segment's speaker, and its words': "-" for nobody."""
    (named,) = attribute([said], diarization(*turns), fill_nearest=fill, resegment=False)
    bare = tuple(replace(word, speaker=None) for word in named.words)
    assert replace(named, speaker=None, words=bare) == said
    told = (named.speaker, *(word.speaker for word in named.words))
    return "".join(speaker or "-" for speaker in told)


def parts(said: Segment, *turns: TurnOf, fill: bool = False) -> tuple[Segment, ...]:
    return attribute([said], diarization(*turns), fill_nearest=fill, resegment=True)


def shown(segments: tuple[Segment, ...]) -> list[str]:
    return [f"{s.start_s:g}-{s.end_s:g} {s.speaker or '-'}:{s.text}" for s in segments]


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        ([(0, 0.8, "A"), (0.8, 2, "B")], "A" + "AAB"),
        ([(0, 0.7, "A"), (0.7, 2, "B")], "B" + "ABB"),
        ([(0, 0.75, "A"), (0.75, 2, "B")], "A" + "AAB"),  # as much of both: the first
        ([(0.5, 0.7, "A"), (0.7, 0.9, "B"), (0.9, 1, "A")], "A" + "-A-"),  # in two goes
        ([(0.2, 0.3, "A")], "A" + "A--"),
        ([(2, 3, "A")], "-" + "---"),
        ([], "-" + "---"),
    ],
)
def test_a_word_is_said_by_who_speaks_most_of_it(turns: list[TurnOf], told: str) -> None:
    assert speakers(spoken(0, "one two three"), *turns) == told


def test_a_segment_is_said_by_who_says_most_of_its_words_in_seconds() -> None:
    words = Word(" a", 0, 0.4), Word(" b", 0.4, 0.8), Word(" long", 0.8, 2)
    said = segment(0, 9, " a b long", *words)
    assert speakers(said, (0, 0.8, "A"), (0.8, 2, "B"), (2, 9, "A")) == "B" + "AAB"


def test_a_segment_without_words_is_said_by_who_speaks_most_of_it() -> None:
    assert speakers(segment(0, 5, " a b"), (0, 2, "A"), (2, 4, "B"), (4, 5, "A")) == "A"


@pytest.mark.parametrize(
    ("turns", "told"),
    [
        (
            [(0, 1, "C"), (1, 10.1, "A"), (11.3, 99, "B")],
            "B" + "ABB",
        ),  # 0.4 and 0.3 s from the second word
        ([(0, 9, "A"), (12.2, 13, "B")], "B" + "ABB"),
        ([(0, 9, "A")], "A" + "AAA"),
        ([(12, 13, "A")], "A" + "AAA"),
    ],
)
def test_who_is_nearest_by_the_edge_of_a_turn_says_what_is_outside_of_all(
    turns: list[TurnOf], told: str
) -> None:
    assert speakers(spoken(10, "one two three"), *turns, fill=True) == told


def test_a_segment_outside_every_turn_has_the_nearest_speaker_if_that_is_wanted() -> None:
    turns = (0, 1, "A"), (4, 99, "B")
    assert speakers(segment(1.5, 3, " a"), *turns) == "-"
    assert speakers(segment(1.5, 3, " a"), *turns, fill=True) == "A"
    assert speakers(segment(2.5, 3.5, " a"), *turns, fill=True) == "B"


def test_words_that_could_not_be_placed_are_said_by_who_says_those_beside_them() -> None:
    placed = Word(" b", 0, 1), Word(" e", 1, 2)
    words = Word(" a"), placed[0], Word(" c"), Word(" d", 1, 1), placed[1], Word(" f")
    turns = (0, 1, "A"), (1, 2, "B")
    assert speakers(segment(0, 2, " a b c d e f", *words), *turns) == "A" + "AAAABB"
    assert speakers(segment(1, 2, " a c", Word(" a"), Word(" c")), *turns) == "B" + "BB"


@pytest.mark.parametrize(
    ("length_s", "turn_s", "told"),
    [
        (0.2, 0.1, "A" + "AAA"),  # B has half of it
        (0.2, 0.14, "A" + "ABA"),  # B has more than two thirds: it is B's
        (0.4, 0.21, "A" + "ABA"),  # as long as that, it is no stray
    ],
)
def test_a_short_word_alone_among_another_ones_is_that_ones_if_its_speaker_has_little_of_it(
    length_s: float, turn_s: float, told: str
) -> None:
    ends_s = 1 + length_s
    words = Word(" a", 0, 1), Word(" b", 1, ends_s), Word(" c", ends_s, 3)
    turns = (0, 1, "A"), (1, 1 + turn_s, "B"), (ends_s, 3, "A")
    assert speakers(segment(0, 3, " a b c", *words), *turns) == told


def test_a_stray_between_two_speakers_is_left_to_its_own() -> None:
    words = Word(" a", 0, 1), Word(" b", 1, 1.2), Word(" c", 1.2, 3)
    turns = (0, 1, "A"), (1, 1.1, "B"), (1.2, 3, "C")
    assert speakers(segment(0, 3, " a b c", *words), *turns) == "C" + "ABC"


def test_of_strays_that_alternate_none_speaks_for_the_next() -> None:
    words = [Word(f" {at}", 1 + at / 5, 1.2 + at / 5) for at in range(3)]
    turns = [(1 + at / 5, 1.1 + at / 5, who) for at, who in enumerate("BAB")]
    said = segment(0, 3, " a 0 1 2 c", Word(" a", 0, 1), *words, Word(" c", 1.6, 3))
    assert speakers(said, (0, 1, "A"), *turns, (1.6, 3, "A")) == "A" + "AAAAA"


def test_a_part_lasts_from_its_first_word_to_its_last_whichever_those_are() -> None:
    words = [Word(" a", 0, 2), Word(" b", 0.5, 1), Word(" c", 3.5, 4), Word(" d", 3, 3.5)]
    told = parts(segment(0, 5, " a b c d", *words), (0, 2.5, "A"), (2.5, 5, "B"))
    assert shown(told) == ["0-2 A: a b", "3-5 B: c d"]


def test_a_segment_ends_where_the_speaker_changes_between_two_words() -> None:
    words = [Word(" Yes.", 0.1, 0.5), Word(" No.", 1, 1.4), Word(" Oh?", 1.5, 1.9)]
    said = segment(0, 2, " Yes. No. Oh?", *words)
    told = parts(said, (0, 0.7, "A"), (0.8, 9, "B"))
    assert shown(told) == ["0-0.5 A: Yes.", "1-2 B: No. Oh?"]
    assert [word.text for part in told for word in part.words] == [" Yes.", " No.", " Oh?"]
    kept = replace(said, words=())
    assert [replace(part, start_s=0, end_s=2, text=said.text, words=()) for part in told] == [
        replace(kept, speaker="A"),
        replace(kept, speaker="B"),
    ]


def test_what_has_no_speaker_stays_with_the_words_before_it() -> None:
    told = parts(spoken(0, "a b c d e f"), (0.5, 1, "A"), (1.5, 2, "B"), (2.5, 3, "B"))
    assert shown(told) == ["0-1.5 A: a b c", "1.5-3 B: d e f"]
    assert [word.speaker for part in told for word in part.words] == [
        None,
        "A",
        None,
        "B",
        None,
        "B",
    ]


def test_a_segment_of_one_speaker_stays_whole() -> None:
    said = spoken(0, "a b c")
    assert shown(parts(said, (0, 0.9, "A"), (1, 9, "A"))) == ["0-1.5 A: a b c"]
    assert shown(parts(said, (5, 6, "A"))) == ["0-1.5 -: a b c"]
    assert shown(parts(said, (5, 6, "A"), fill=True)) == ["0-1.5 A: a b c"]


def test_without_times_of_words_text_is_taken_to_be_spoken_evenly() -> None:
    turns = (0, 5, "A"), (5, 10, "B")
    assert shown(parts(segment(0, 10, " one two six ten"), *turns)) == [
        *("0-5.33333 A: one two", "5.33333-10 B: six ten"),
    ]
    assert shown(parts(segment(0, 10, "你好吗我很好"), *turns)) == ["0-5 A:你好吗", "5-10 B:我很好"]
    assert shown(parts(segment(0, 10, " unbreakable"), *turns)) == ["0-10 A: unbreakable"]


def test_words_that_could_not_be_placed_go_with_their_text() -> None:
    said = segment(0, 10, " one two six ten", *(Word(f" {word}") for word in ("one", "two", "ten")))
    told = parts(said, (0, 5, "A"), (5, 10, "B"))
    assert [[(word.text, word.speaker) for word in part.words] for part in told] == [
        [(" one", "A"), (" two", "A")],
        [(" ten", "B")],
    ]


def test_parts_of_segments_that_overlap_are_in_order_of_time() -> None:
    both = replace(spoken(0, "a b c d"), end_s=9), replace(spoken(1, "e"), end_s=10)
    told = attribute(
        both, diarization((0, 1.5, "A"), (1.5, 9, "B")), fill_nearest=False, resegment=True
    )
    assert shown(told) == ["0-1.5 A: a b c", "1.5-9 B: d", "1.5-10 A: e"]


TOKENS = (50364, 1, 2, 3, 4, 50464)
TURNS = (0, 1, "A"), (1, 2, "B")


def test_tokens_are_parted_at_the_byte_where_the_text_is() -> None:
    spelled = b" n", b"\xc3", b"\xa9", b"e", b" bcdef"
    said = tuple(Token(share, -0.5) for share in spelled)
    tokens = (50364, 1, 2, 3, 4, 5, 50464)
    words = Word(" née", 0, 1), Word(" bcdef", 1, 2)
    whole = replace(segment(0, 2, " née bcdef", *words), tokens=tokens, said=said)
    one, other = parts(whole, *TURNS)
    assert (one.tokens, other.tokens) == (tokens[:5], tokens[5:])
    assert (one.said, other.said) == (said[:4], said[4:])


def test_tokens_whose_bytes_are_not_known_are_taken_to_be_as_long_as_each_other() -> None:
    whole = replace(
        segment(0, 2, " née bcdef", Word(" née", 0, 1), Word(" bcdef", 1, 2)), tokens=TOKENS
    )
    one, other = parts(whole, *TURNS)
    assert (one.tokens, other.tokens) == (TOKENS[:3], TOKENS[3:])


def test_words_that_nobody_asked_for_are_left_out() -> None:
    said = spoken(0, "a b"), segment(1, 2, " c")
    assert without_words(said) == (replace(said[0], words=()), said[1])


def test_a_word_that_is_not_in_the_text_goes_with_the_one_before_it() -> None:
    words = Word(" a", 0, 1), Word(" c", 1, 2), Word(" see", 2, 3)
    one, other = parts(segment(0, 3, " a c", *words), (0, 1, "A"), (1, 3, "B"))
    assert ([word.text for word in one.words], other.text) == ([" a"], " c")
    assert [(word.text, word.speaker) for word in other.words] == [(" c", "B"), (" see", "B")]


def test_bytes_of_other_tokens_than_the_segments_are_parted_by_themselves() -> None:
    words = Word(" a", 0, 1), Word(" b", 1, 2)
    said = Token(b" a", -0.5), Token(b" b", -0.5)
    whole = replace(segment(0, 2, " a b", *words), tokens=(1, 2, 3, 4), said=said)
    one, other = parts(whole, *TURNS)
    assert (one.tokens, other.tokens) == ((1, 2), (3, 4))
    assert (one.said, other.said) == (said[:1], said[1:])


def test_bytes_of_another_text_say_nothing() -> None:
    words = Word(" a", 0, 1), Word(" b", 1, 2)
    said = Token(b"x", -0.5), Token(b"y", -0.5)
    whole = replace(segment(0, 2, " a b", *words), tokens=(1, 2), said=said)
    assert [part.tokens for part in parts(whole, *TURNS)] == [(1,), (2,)]
