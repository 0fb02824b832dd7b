"""No word goes on through a pause, and what is heard on its other side is the neighbour's."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.pipeline.pauses import Interval, beside_pauses, find_pauses
from asr.pipeline.types import Piece, Word

if TYPE_CHECKING:
    from numpy.typing import NDArray


def sound(*stretches: tuple[float, float]) -> NDArray[np.float32]:
    """A hum of so many seconds at such an amplitude, one after the other."""
    parts = [
        amplitude * np.sin(np.arange(round(seconds * 16_000)) * 0.1)
        for seconds, amplitude in stretches
    ]
    return np.concatenate(parts).astype(np.float32)


def spoken(*times_s: tuple[float, float]) -> Piece:
    words = tuple(Word(f" {k}", start_s, end_s) for k, (start_s, end_s) in enumerate(times_s))
    return Piece(times_s[0][0], times_s[-1][1], "".join(word.text for word in words), (), words)


def times_of(*pieces: Piece) -> list[tuple[float, float]]:
    return [(word.start_s or 0.0, word.end_s or 0.0) for piece in pieces for word in piece.words]


def test_a_pause_is_where_it_is_much_quieter_for_long_enough() -> None:
    samples = sound((1.0, 0.5), (0.3, 0.001), (1.0, 0.5), (0.05, 0.0), (1.0, 0.5), (0.2, 0.05))
    (pause,) = find_pauses(samples, 10.0)
    assert pause == pytest.approx((11.0, 11.3), abs=0.011)


@pytest.mark.parametrize("samples", [sound((2.0, 0.0)), sound((0.005, 0.5)), sound((2.0, 0.5))])
def test_where_nothing_changes_there_are_no_pauses(samples: NDArray[np.float32]) -> None:
    assert find_pauses(samples, 0.0) == ()


@pytest.mark.parametrize(
    ("words", "pause", "then"),
    [
        ([(0.0, 1.0), (1.0, 2.0)], (1.0, 1.4), [(0.0, 1.0), (1.4, 2.0)]),
        ([(0.0, 1.0), (1.0, 2.0)], (0.7, 1.0), [(0.0, 0.7), (1.0, 2.0)]),
        ([(0.0, 1.0), (1.0, 2.0)], (1.1, 1.4), [(0.0, 1.1), (1.4, 2.0)]),
        ([(0.0, 1.0), (1.0, 2.0)], (0.6, 0.9), [(0.0, 0.6), (0.9, 2.0)]),
        ([(0.0, 0.9), (1.0, 2.0)], (1.1, 1.4), [(0.0, 0.9), (1.4, 2.0)]),
        ([(0.0, 1.0), (1.0, 2.0)], (2.5, 3.0), [(0.0, 1.0), (1.0, 2.0)]),
        ([(0.0, 1.0), (1.0, 2.0)], (0.9, 2.5), [(0.0, 0.9), (1.0, 2.0)]),
        ([(0.0, 1.0), (1.0, 1.0)], (0.8, 1.2), [(0.0, 0.8), (1.0, 1.0)]),
    ],
    ids=[
        "begins with it",
        "ends with it",
        "has the end of the word before",
        "has the beginning of the next",
        "has some of what was nobody's",
        "is elsewhere",
        "has nothing else",
        "has no length",
    ],
)
def test_a_word_is_on_one_side_of_a_pause(
    words: list[tuple[float, float]], pause: tuple[float, float], then: list[tuple[float, float]]
) -> None:
    moved = beside_pauses([spoken(*words)], [Interval(*pause)])
    assert times_of(*moved) == then
    assert [(moved[0].start_s, moved[0].end_s)] == [(then[0][0], then[-1][1])]


def test_a_piece_that_no_pause_touches_stays_as_it_is() -> None:
    piece = spoken((1.0, 2.0), (2.0, 3.0))
    assert beside_pauses([piece, spoken((3.0, 5.0))], [Interval(3.0, 4.0)])[0] is piece


MOMENTS = st.lists(st.integers(0, 60), min_size=2, max_size=14).map(sorted)


@given(words=MOMENTS, gaps=st.sets(st.integers(0, 14)), pauses=MOMENTS, cut=st.integers(1, 13))
def test_words_stay_in_order_and_lose_only_what_is_quiet(
    words: list[int], gaps: set[int], pauses: list[int], cut: int
) -> None:
    spans = [(a / 10, b / 10) for a, b in pairwise(words)]
    spans = [span for k, span in enumerate(spans) if k not in gaps] or spans[:1]
    silent = [
        Interval(a / 10, b / 10) for a, b in zip(pauses[::2], pauses[1::2], strict=False) if a < b
    ]
    pieces = [spoken(*each) for each in (spans[:cut], spans[cut:]) if each]
    moved = beside_pauses(pieces, silent)
    times = [time for both in times_of(*moved) for time in both]
    assert times == sorted(times)
    assert [[word.text for word in piece.words] for piece in moved] == [
        [word.text for word in piece.words] for piece in pieces
    ]
    for tick in range(60):  # what could be heard in a word before is in at most one word now
        middle = tick / 10 + 0.05
        now = sum(start <= middle < end for start, end in times_of(*moved))
        assert now <= 1
        if any(pause.start_s <= middle < pause.end_s for pause in silent):
            lone = [(a, b) for a, b in times_of(*moved) if a <= middle < b]
            assert all((a, b) in spans for a, b in lone)  # only a word with no sound at all
