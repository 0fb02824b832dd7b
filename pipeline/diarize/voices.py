"""What of the speech in a chunk is worth listening to, and in which batches.

Speakers of overlapping chunks are heard in frames in which nobody else speaks, some seconds of
them at most, cut to few lengths, so that few shapes of arrays occur. A batch holds one audio's
pieces alone, in an order that follows from the audio: whatever else runs, its vectors are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.pipeline.diarize.filterbank import FRAME, SHIFT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asr.pipeline.diarize.turns import Grid

# Frames of a piece, of 10 ms each. Shorter pieces are repeated until they are as long as the first.
LENGTHS = (100, 200, 400)

# With fewer frames than this nobody is known by their voice.
FRAMES_MIN = 20


class Piece(NamedTuple):
    """A speaker of a chunk, by numbers, and the filterbank frames in which they are heard."""

    chunk: int
    speaker: int
    frames: NDArray[np.float32]


def frame_map(grid: Grid) -> NDArray[np.int64]:
    """For each filterbank frame of a chunk, the network's frame whose middle is nearest."""
    count = (grid.chunk_samples - FRAME) // SHIFT + 1
    middles = (np.arange(count) * SHIFT + FRAME / 2) / grid.rate
    nearest = np.rint((middles - grid.frame_s / 2) / grid.frame_step_s).astype(np.int64)
    return np.clip(nearest, 0, grid.frames - 1)


def select(
    active: NDArray[np.bool_], clean: NDArray[np.bool_], *, most: int
) -> NDArray[np.int64] | None:
    """Which filterbank frames of a chunk a speaker is heard in best; None if in too few.

    Alone, if that is often enough; else beside others. Of many, those in the middle.
    """
    found = np.flatnonzero(clean)
    if len(found) < FRAMES_MIN:
        found = np.flatnonzero(active)
    if len(found) < FRAMES_MIN:
        return None
    length = max((n for n in LENGTHS if n <= min(len(found), most)), default=LENGTHS[0])
    spare = max(0, len(found) - length) // 2
    return np.resize(found[spare : spare + length], length)


class Queue:
    """Pieces that wait to be heard in batches, each of one length and at most ``budget`` frames."""

    def __init__(self, budget: int) -> None:
        self._budget = budget
        self._waiting: dict[int, list[Piece]] = {length: [] for length in LENGTHS}

    def put(self, piece: Piece) -> None:
        self._waiting[len(piece.frames)].append(piece)

    def take(self, *, last: bool) -> list[Piece]:
        """The next batch that is full, or, when no more come, that is not empty; else nothing."""
        for length, waiting in self._waiting.items():
            size = max(1, self._budget // length)
            if len(waiting) >= size or (last and waiting):
                self._waiting[length] = waiting[size:]
                return waiting[:size]
        return []
