from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from asr.pipeline.assemble import assemble
from asr.pipeline.audio import Audio
from asr.pipeline.types import Hypothesis, Piece, Segment, Transcript, Window, Word

AUDIO = Audio(Path("never-read.raw"), 60 * 16_000)


def heard(start_s: float, end_s: float, *pieces: Piece, sure: float = -0.25) -> Hypothesis:
    return Hypothesis(Window(AUDIO, start_s, end_s), pieces, end_s, 0.2, sure, 0.7, 1.5)


def piece(start_s: float, end_s: float, text: str) -> Piece:
    return Piece(start_s, end_s, text, (1, 2))


def shown(start_s: float, end_s: float, text: str, *, window_start_s: float) -> Segment:
    return Segment(start_s, end_s, text, (1, 2), window_start_s, 0.2, -0.25, 0.7, 1.5)


def transcript(*hypotheses: Hypothesis, duration_s: float = 60.0) -> Transcript:
    return assemble(hypotheses, language="en", task="transcribe", duration_s=duration_s)


def test_hypotheses_in_any_order_become_segments_in_order_of_time() -> None:
    later = heard(20, 30, piece(20, 22, " three"))
    earlier = heard(0, 20, piece(1, 2, " one"), piece(2, 5, " two"))
    assert assemble(
        (later, earlier), language="de", task="translate", duration_s=60, warnings=["no words"]
    ) == Transcript(
        "de",
        "translate",
        60,
        (
            shown(1, 2, " one", window_start_s=0),
            shown(2, 5, " two", window_start_s=0),
            shown(20, 22, " three", window_start_s=20),
        ),
        ("no words",),
    )


def test_silence_and_pieces_without_text_or_length_are_not_shown() -> None:
    silence = heard(0, 10, piece(0, 10, " Thank you."), sure=-1.5)
    hollow = heard(10, 20, piece(10, 11, "  "), piece(12, 12, " word"), piece(14, 13, " word"))
    assert transcript(silence, hollow).segments == ()


def test_a_piece_ends_with_its_window_and_the_audio_and_none_starts_after_them() -> None:
    first = heard(0, 10, piece(8, 12, " cut"), piece(12, 14, " said of the padding"))
    last = heard(10, 30, piece(10, 30, " beyond"))
    assert transcript(first, last, duration_s=25).segments == (
        shown(8, 10, " cut", window_start_s=0),
        shown(10, 25, " beyond", window_start_s=10),
    )


def test_times_that_run_backwards_are_pulled_forward_and_keep_their_text() -> None:
    confused = heard(0, 30, piece(10, 20, " one"), piece(5, 15, " two"), piece(4, 29, " three"))
    assert transcript(confused).segments == (
        shown(10, 20, " one", window_start_s=0),
        shown(10, 20, " two", window_start_s=0),
        shown(10, 29, " three", window_start_s=0),
    )


def test_words_end_where_their_segment_does() -> None:
    words = (Word(" one", 0.5, 1.5, 0.5), Word(" two", 9.5, 11), Word(" x"), Word(" four", 11, 12))
    segments = transcript(heard(1, 10, Piece(0, 20, " one two x four", (1, 2), words))).segments
    assert [(segment.start_s, segment.end_s, segment.words) for segment in segments] == [
        (
            1,
            10,
            (Word(" one", 1, 1.5, 0.5), Word(" two", 9.5, 10), Word(" x"), Word(" four", 10, 10)),
        )
    ]


def test_nothing_heard_is_an_empty_transcript() -> None:
    assert transcript() == Transcript("en", "transcribe", 60.0, ())


times = st.floats(-5, 70)
pieces = st.builds(piece, times, times, st.sampled_from([" a", "", " b"]))
hypotheses = st.builds(heard, times, times, pieces, pieces, pieces)


@given(st.lists(hypotheses), st.floats(0, 60))
def test_segments_are_within_the_audio_and_never_run_backwards(
    said: list[Hypothesis], duration_s: float
) -> None:
    segments = transcript(*said, duration_s=duration_s).segments
    assert all(0 <= s.start_s < s.end_s <= duration_s for s in segments)
    assert all(a.start_s <= b.start_s and a.end_s <= b.end_s for a, b in pairwise(segments))
