"""What of the speech in a chunk is listened to, and in which batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asr.pipeline.diarize.grid import Grid, powerset
from asr.pipeline.diarize.networks import spoken_through
from asr.pipeline.diarize.voices import FRAMES_MIN, LENGTHS, Piece, Queue, cut, frame_map, pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_S = 0.1
CHUNK = 100  # frames, so 10 s
CORE = (38, 63)


def clean(*spans: tuple[int, int]) -> NDArray[np.bool_]:
    told = np.zeros(CHUNK, bool)
    for start, stop in spans:
        told[start:stop] = True
    return told


@pytest.mark.parametrize(
    ("spans", "told"),
    [
        # All of a core of 2.5 s is one piece, heard as it is.
        ([(0, 100)], [(38, 63, 38, 63)]),
        # A short one hears 2 s of the run around it.
        ([(55, 100)], [(55, 63, 55, 75)]),
        ([(0, 42)], [(38, 42, 22, 42)]),
        # Or what there is.
        ([(40, 45), (50, 55)], [(40, 45, 40, 45), (50, 55, 50, 55)]),
        # Short pauses are none.
        ([(40, 45), (46, 55)], [(40, 55, 40, 55)]),
        # Who speaks elsewhere is for other chunks.
        ([(0, 38), (63, 100)], []),
        ([], []),
    ],
)
def test_pieces_are_runs_of_speech_in_the_core(
    spans: list[tuple[int, int]], told: list[tuple[int, int, int, int]]
) -> None:
    assert list(pieces(clean(*spans), CORE, FRAME_S)) == told


def test_a_long_core_is_cut_in_parts() -> None:
    told = list(pieces(clean((0, 100)), (0, 63), FRAME_S))
    assert [(start, stop) for start, stop, _, _ in told] == [(0, 21), (21, 42), (42, 63)]


@given(
    arrays.arrays(np.bool_, CHUNK),
    st.tuples(st.integers(0, 50), st.integers(51, CHUNK)),
)
def test_all_clean_speech_of_the_core_is_in_one_piece(
    speech: NDArray[np.bool_], core: tuple[int, int]
) -> None:
    covered = np.zeros(CHUNK, int)
    for start, stop, first, last in pieces(speech, core, FRAME_S):
        assert core[0] <= start < stop <= core[1]
        assert 0 <= first <= start
        assert stop <= last <= CHUNK
        covered[start:stop] += 1
    inside = np.zeros(CHUNK, bool)
    inside[core[0] : core[1]] = True
    assert covered.max(initial=0) <= 1
    assert (covered[speech & inside] == 1).all()


@pytest.mark.parametrize(
    ("frames", "length"), [(20, 50), (49, 50), (99, 50), (149, 100), (150, 150), (1000, 200)]
)
def test_pieces_have_few_lengths(frames: int, length: int) -> None:
    told = cut(np.arange(frames))
    assert told is not None
    assert len(told) == length
    if frames >= length:
        assert np.diff(told).tolist() == [1] * (length - 1)
        assert abs((told[0] + told[-1]) - (frames - 1)) <= 1  # the middle
    else:
        assert told.tolist() == [number % frames for number in range(length)]


def test_nobody_is_known_by_a_fifth_of_a_second_less_a_bit() -> None:
    assert cut(np.arange(FRAMES_MIN - 1)) is None


def test_each_filterbank_frame_is_of_the_network_frame_around_it() -> None:
    grid = Grid(160_000, 40_000, 589, 0.0619375, 0.016875, powerset(3, 2))
    told = frame_map(grid)
    assert len(told) == 998
    for frame in (0, 3, 500, 997):
        middle_s = frame * 0.01 + 0.0125
        nearest = min(range(589), key=lambda other: abs(grid.middle_s(other) - middle_s))
        assert told[frame] == nearest


def piece(number: int, length: int) -> Piece:
    return Piece(number, 0, 0, 1, 1.0, np.zeros((length, 80), np.float32))


def test_batches_are_full_and_of_one_length_until_the_last() -> None:
    queue = Queue(budget=300)
    for number in range(4):
        queue.put(piece(number, 100))
        queue.put(piece(10 + number, 200))
    told = []
    while batch := queue.take(last=False):
        told.append([one.chunk for one in batch])
    assert told == [[0, 1, 2], [10], [11], [12], [13]]
    assert [one.chunk for one in queue.take(last=True)] == [3]
    assert queue.take(last=True) == []


def test_a_budget_below_one_piece_still_takes_one() -> None:
    queue = Queue(budget=1)
    queue.put(piece(0, LENGTHS[-1]))
    assert len(queue.take(last=False)) == 1


def test_pauses_of_one_speaker_that_are_nowhere_certain_are_spoken_through() -> None:
    likeliest = [0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 2, 0, 0]
    certain = [0, 1, 1, 2, 1, 1, 0, 1, 1, 1, 2, 2, 2]
    told = spoken_through(np.array([likeliest], np.uint8), np.array([certain], np.uint8))
    assert told.tolist() == [[0, 1, 1, 2, 1, 0, 0, 0, 1, 0, 2, 0, 0]]
    nothing = np.zeros((2, 5), np.uint8)
    assert spoken_through(nothing, nothing + 1).tolist() == nothing.tolist()
