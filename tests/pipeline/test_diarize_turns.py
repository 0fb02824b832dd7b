"""From what a network saw in overlapping chunks to turns on one time line."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from asr.pipeline.diarize import turns as module
from asr.pipeline.diarize.grid import Grid, powerset
from asr.pipeline.diarize.turns import (
    NOBODY,
    Recognition,
    Reconstruction,
    Run,
    exclusive_turns,
    heard_of,
    in_order,
    recognise,
    steady,
    turns,
)
from asr.pipeline.speakers import Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Frames of a tenth of a second that do not overlap, ten a chunk, a new chunk each half second.
GRID = Grid(16_000, 8_000, 10, frame_s=0.1, frame_step_s=0.1, members=powerset(3, 2))
NAMES = {0: "A", 1: "B", 2: "C"}
A, B, BOTH = 1, 2, 4  # classes of two of the three speakers


def recognised(own: NDArray[np.int16]) -> Recognition:
    """By whose voices the time line has."""

    def who(chunk: int, active: NDArray[np.bool_]) -> NDArray[np.int64]:
        first = GRID.first_frame(chunk)
        return recognise(active, own[first : first + GRID.frames])

    return who


def line_of(
    classes: list[list[int]], own: list[int], *, at_once: int | None = None
) -> Reconstruction:
    who = recognised(np.array(own, np.int16))
    return Reconstruction(GRID, np.array(classes, np.uint8), who, max(own) + 1, at_once=at_once)


def every(line: Reconstruction) -> list[Run]:
    return steady([run for block in line.blocks() for run in block.all], 1)


def alone(line: Reconstruction) -> list[Run]:
    return steady([run for block in line.blocks() for run in block.exclusive], 1)


def test_the_classes_of_a_network_are_pyannotes() -> None:
    assert powerset(3, 2).astype(int).tolist() == [
        [0, 0, 0],
        [1, 0, 0],
        [0, 1, 0],
        [0, 0, 1],
        [1, 1, 0],
        [1, 0, 1],
        [0, 1, 1],
    ]


@pytest.mark.parametrize(
    ("samples", "chunks"),
    [(0, 0), (1, 1), (16_000, 1), (16_001, 2), (24_000, 2), (24_001, 3)],
)
def test_the_last_chunk_has_seen_the_end(samples: int, chunks: int) -> None:
    assert GRID.chunks(samples) == chunks


def test_speakers_of_overlapping_chunks_are_the_same_people_by_their_voices() -> None:
    first = [A] * 5 + [B] * 5
    second = [A] * 5 + [0] * 5  # who is number 1 in this chunk was number 2 in the first
    line = line_of([first, second], [0] * 5 + [1] * 5 + [NOBODY] * 5)
    assert every(line) == alone(line) == [Run(0, 5, 0), Run(5, 10, 1)]


def test_who_speaks_at_once_overlaps_and_the_exclusive_turn_is_whose_are_more_votes() -> None:
    first = [A] * 5 + [BOTH] * 5
    second = [BOTH] * 3 + [B] * 7
    line = line_of([first, second], [0] * 5 + [NOBODY] * 3 + [1] * 7)
    # In the first chunk only the one is recognised, alone; in the second only the other.
    assert every(line) == [Run(0, 10, 0), Run(5, 15, 1)]
    assert alone(line) == [Run(0, 10, 0), Run(10, 15, 1)]


def test_where_half_of_the_looks_hear_somebody_there_is_somebody() -> None:
    line = line_of([[A] * 10, [0] * 10], [0] * 10 + [NOBODY] * 5)
    assert every(line) == [Run(0, 10, 0)]


def test_a_speaker_who_is_several_people_by_voice_is_each_where_they_are_recognised() -> None:
    line = line_of([[A] * 10], [0] * 4 + [NOBODY] * 2 + [1] * 4)
    assert every(line) == [Run(0, 5, 0), Run(5, 10, 1)]


def test_a_speaker_who_is_one_person_but_for_a_moment_is_that_person() -> None:
    assert every(line_of([[A] * 10], [0, 1, *[0] * 8])) == [Run(0, 10, 0)]


def test_who_is_never_alone_is_nobody() -> None:
    active = GRID.members[np.array([A, BOTH, BOTH, 0], np.uint8)]
    own = np.array([0, 1, 1, 1], np.int16)
    told = [[0, NOBODY, NOBODY]] * 3 + [[NOBODY] * 3]
    assert recognise(active, own).tolist() == told


def test_no_more_speak_at_once_than_there_are_people() -> None:
    line = line_of([[A, A, A, BOTH, BOTH, BOTH, BOTH, B, B, B]], [0] * 3 + [NOBODY] * 4 + [1] * 3)
    assert every(line) == [Run(0, 7, 0), Run(3, 10, 1)]
    told = line_of(
        [[A, A, A, BOTH, BOTH, BOTH, BOTH, B, B, B]],
        [0] * 3 + [NOBODY] * 4 + [1] * 3,
        at_once=1,
    )
    assert every(told) == alone(told) == [Run(0, 7, 0), Run(7, 10, 1)]


@given(st.integers(1, 40))
def test_the_cores_of_chunks_are_the_whole_audio_once(chunks: int) -> None:
    cores = [GRID.core(chunk, chunks) for chunk in range(chunks)]
    frames = [
        GRID.first_frame(chunk) + frame
        for chunk, (start, stop) in enumerate(cores)
        for frame in range(start, stop)
    ]
    assert frames == list(range(GRID.length(chunks)))


def test_an_audio_without_a_chunk_has_no_turns() -> None:
    line = Reconstruction(GRID, np.zeros((0, 10), np.uint8), recognised(np.zeros(0, np.int16)), 1)
    assert list(line.blocks()) == []


@given(
    arrays.arrays(np.uint8, (7, 10), elements=st.integers(0, 6)),
    arrays.arrays(np.int16, 40, elements=st.integers(NOBODY, 3)),
)
def test_blocks_of_any_size_tell_the_same(
    classes: NDArray[np.uint8], own: NDArray[np.int16]
) -> None:
    def told(size: int) -> tuple[tuple[Turn, ...], tuple[Turn, ...]]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "BLOCK", size)
            blocks = list(Reconstruction(GRID, classes, recognised(own), 4).blocks())
        called = {who: str(who) for who in range(4)}
        every = [run for block in blocks for run in block.all]
        exclusive = [run for block in blocks for run in block.exclusive]
        return (
            turns(GRID, steady(every, 1), called, end_s=3.5),
            exclusive_turns(GRID, steady(exclusive, 1), called, end_s=3.5),
        )

    whole, alone_whole = told(1000)
    assert told(3) == (whole, alone_whole)
    assert all(one.end_s <= two.start_s for one, two in pairwise(alone_whole))
    assert all(0 <= turn.start_s < turn.end_s <= 3.5 for turn in (*whole, *alone_whole))
    # Whoever has an exclusive turn speaks then.
    for turn in alone_whole:
        around = [t for t in whole if t.speaker == turn.speaker]
        assert any(t.start_s <= turn.start_s and turn.end_s <= t.end_s for t in around)


def test_pauses_are_bridged_in_turns_and_where_nobody_else_speaks_in_exclusive_ones() -> None:
    runs = [Run(0, 10, 0), Run(11, 20, 0), Run(20, 25, 1), Run(25, 30, 0)]
    assert turns(GRID, runs, NAMES, end_s=9.0, bridge_s=0.2) == (
        Turn(GRID.middle_s(0), GRID.middle_s(20), "A"),
        Turn(GRID.middle_s(20), GRID.middle_s(25), "B"),
        Turn(GRID.middle_s(25), GRID.middle_s(30), "A"),
    )
    bridged = turns(GRID, runs, NAMES, end_s=9.0, bridge_s=1.0)
    assert [(turn.speaker, round(turn.end_s, 2)) for turn in bridged] == [("A", 3.05), ("B", 2.55)]
    exclusive = exclusive_turns(GRID, runs, NAMES, end_s=9.0, bridge_s=1.0)
    assert [turn.speaker for turn in exclusive] == ["A", "B", "A"]


def test_a_flicker_is_no_turn_unless_it_is_all_that_somebody_says() -> None:
    runs = [Run(0, 10, 0), Run(10, 11, 0), Run(12, 14, 0), Run(3, 4, 1), Run(7, 9, 1)]
    assert steady(runs, 3) == [Run(0, 11, 0), Run(7, 9, 1)]


def test_turns_end_where_the_audio_does() -> None:
    runs = [Run(0, 10, 0), Run(10, 20, 1)]
    assert turns(GRID, runs, NAMES, end_s=0.9) == (Turn(0.05, 0.9, "A"),)


@pytest.mark.parametrize(
    ("end_s", "left"),
    [
        (2.0, [Run(0, 10, 0), Run(8, 19, 1)]),
        (1.96, [Run(0, 10, 0), Run(8, 19, 1)]),
        (0.9, [Run(0, 9, 0), Run(8, 9, 1)]),
        (0.85, [Run(0, 8, 0)]),
        (0.02, []),
    ],
)
def test_nobody_is_heard_beyond_the_end_of_the_audio(end_s: float, left: list[Run]) -> None:
    assert heard_of([Run(0, 10, 0), Run(8, 19, 1)], GRID, end_s) == left


def test_people_are_numbered_in_the_order_in_which_they_speak() -> None:
    assert in_order([Run(5, 9, 0), Run(1, 2, 2), Run(1, 6, 1)]) == [2, 1, 0]
