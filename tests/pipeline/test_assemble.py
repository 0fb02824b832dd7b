from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from asr.pipeline.assemble import Assembly
from asr.pipeline.audio import Audio
from asr.pipeline.types import Hypothesis, Piece, Segment, Token, Window, Word

AUDIO = Audio(Path("never-read.raw"), 60 * 16_000)


def heard(start_s: float, end_s: float, *pieces: Piece, sure: float = -0.25) -> Hypothesis:
    return Hypothesis(Window(AUDIO, start_s, end_s), pieces, end_s, 0.2, sure, 0.7, 1.5)


def piece(start_s: float, end_s: float, text: str) -> Piece:
    return Piece(start_s, end_s, text, (1, 2))


def shown(start_s: float, end_s: float, text: str, *, window_start_s: float) -> Segment:
    return Segment(start_s, end_s, text, (1, 2), window_start_s, 0.2, -0.25, 0.7, 1.5)


def segments_of(*hypotheses: Hypothesis, duration_s: float = 60.0) -> tuple[Segment, ...]:
    return Assembly(duration_s).preview(hypotheses)


def add(assembly: Assembly, hypothesis: Hypothesis) -> tuple[Segment, ...]:
    """Keep what a hypothesis adds, as whoever listens does."""
    added = assembly.preview([hypothesis])
    assembly.segments += added
    return added


def test_hypotheses_become_segments_as_they_come() -> None:
    assembly = Assembly(60)
    earlier = add(assembly, heard(0, 20, piece(1, 2, " one"), piece(2, 5, " two")))
    nothing = add(assembly, heard(5, 20))
    later = add(assembly, heard(20, 30, piece(20, 22, " three")))
    assert earlier == (
        shown(1, 2, " one", window_start_s=0),
        shown(2, 5, " two", window_start_s=0),
    )
    assert nothing == ()
    assert later == (shown(20, 22, " three", window_start_s=20),)
    assert assembly.segments == [*earlier, *later]


def test_what_comes_later_does_not_run_back_behind_what_came_before() -> None:
    assembly = Assembly(60)
    add(assembly, heard(0, 30, piece(10, 20, " one")))
    assert add(assembly, heard(0, 30, piece(5, 15, " two"))) == (
        shown(10, 20, " two", window_start_s=0),
    )


def test_the_tokens_of_a_text_are_those_with_bytes() -> None:
    spelled = replace(
        piece(0, 5, " one"),
        tokens=(7, 1, 2, 9),
        logprobs=(0, -1, -2, 0),
        spelled=(b"", b" o", b"ne", b""),
    )
    assert segments_of(heard(0, 5, spelled))[0].said == (Token(b" o", -1), Token(b"ne", -2))


def test_silence_and_pieces_without_text_or_length_are_not_shown() -> None:
    silence = heard(0, 10, piece(0, 10, " Thank you."), sure=-1.5)
    hollow = heard(10, 20, piece(10, 11, "  "), piece(12, 12, " word"), piece(14, 13, " word"))
    assert segments_of(silence, hollow) == ()


def test_a_piece_ends_with_its_window_and_the_audio_and_none_starts_after_them() -> None:
    first = heard(0, 10, piece(8, 12, " cut"), piece(12, 14, " said of the padding"))
    last = heard(10, 30, piece(10, 30, " beyond"))
    assert segments_of(first, last, duration_s=25) == (
        shown(8, 10, " cut", window_start_s=0),
        shown(10, 25, " beyond", window_start_s=10),
    )


def test_times_that_run_backwards_are_pulled_forward_and_keep_their_text() -> None:
    confused = heard(0, 30, piece(10, 20, " one"), piece(5, 15, " two"), piece(4, 29, " three"))
    assert segments_of(confused) == (
        shown(10, 20, " one", window_start_s=0),
        shown(10, 20, " two", window_start_s=0),
        shown(10, 29, " three", window_start_s=0),
    )


def test_words_end_where_their_segment_does() -> None:
    words = (Word(" one", 0.5, 1.5, 0.5), Word(" two", 9.5, 11), Word(" x"), Word(" four", 11, 12))
    segments = segments_of(heard(1, 10, Piece(0, 20, " one two x four", (1, 2), words)))
    assert [(segment.start_s, segment.end_s, segment.words) for segment in segments] == [
        (
            1,
            10,
            (Word(" one", 1, 1.5, 0.5), Word(" two", 9.5, 10), Word(" x"), Word(" four", 10, 10)),
        )
    ]


times = st.floats(-5, 70)
pieces = st.builds(piece, times, times, st.sampled_from([" a", "", " b"]))
hypotheses = st.builds(heard, times, times, pieces, pieces, pieces)


@given(st.lists(hypotheses), st.floats(0, 60))
def test_segments_are_within_the_audio_and_never_run_backwards(
    said: list[Hypothesis], duration_s: float
) -> None:
    segments = segments_of(*said, duration_s=duration_s)
    assert all(0 <= s.start_s < s.end_s <= duration_s for s in segments)
    assert all(a.start_s <= b.start_s and a.end_s <= b.end_s for a, b in pairwise(segments))
