"""What of the speech in a chunk is worth listening to, and in which batches.

The middle of each chunk is listened to, which no other sees better, so that together all of the
audio is, once: whoever is alone there, in pieces of a run of their speech. pyannote makes one
vector of all that a speaker says in a chunk; but its network may take two people for one speaker,
and one vector of both is like neither. Pieces are cut to few lengths, so that few shapes of arrays
occur. A batch holds one audio's pieces alone, in an order that follows from the audio: whatever
else runs, its vectors are the same.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.diarize.filterbank import FRAME, SHIFT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from asr.pipeline.diarize.grid import Grid

# A chunk, its speaker, and the chunk's frames from one up to another.
Place = tuple[int, int, int, int]

# Filterbank frames of a piece, of 10 ms each. Shorter ones are repeated until they are as long as
# the first.
LENGTHS = (50, 100, 150, 200)

# With fewer of them than this nobody is known by their voice.
FRAMES_MIN = 20

# Pauses shorter than this do not end a run of speech.
PAUSE_S = 0.25

# A run in the middle of a chunk is one piece unless it is so long.
PIECE_S = 2.5

# So much of the run around it is listened to, if there is as much.
HEARD_S = 2.0


class Piece(NamedTuple):
    """Whose voice is to be known: the speaker of a chunk, in its frames from one up to another.

    It is heard in ``seconds`` of speech, of which ``frames`` is the filterbank: (frames, bins).
    """

    chunk: int
    speaker: int
    start: int
    stop: int
    seconds: float
    frames: NDArray[np.float32]

    @property
    def place(self) -> Place:
        return self.chunk, self.speaker, self.start, self.stop


def frame_map(grid: Grid) -> NDArray[np.int64]:
    """For each filterbank frame of a chunk, the network's frame whose middle is nearest."""
    count = (grid.chunk_samples - FRAME) // SHIFT + 1
    middles = (np.arange(count) * SHIFT + FRAME / 2) / SAMPLE_RATE
    nearest = np.rint((middles - grid.frame_s / 2) / grid.frame_step_s).astype(np.int64)
    return np.clip(nearest, 0, grid.frames - 1)


def pieces(
    clean: NDArray[np.bool_], core: tuple[int, int], frame_s: float
) -> Iterator[tuple[int, int, int, int]]:
    """Pieces of a speaker's speech that are in a chunk's core, given where nobody else speaks.

    (start, stop, from, to): which frames of the core it is, and in which it is to be heard.
    """
    for first, last in _runs(clean, round(PAUSE_S / frame_s)):
        start, stop = max(first, core[0]), min(last, core[1])
        if start >= stop:
            continue
        parts = max(1, round((stop - start) * frame_s / PIECE_S))
        borders = [start + (stop - start) * part // parts for part in range(parts + 1)]
        for one, other in itertools.pairwise(borders):
            length = min(max(other - one, round(HEARD_S / frame_s)), last - first)
            heard = min(max((one + other - length) // 2, first), last - length)
            yield one, other, heard, heard + length


def cut(found: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """As many of the filterbank frames found as a piece may have; None if there are too few."""
    if len(found) < FRAMES_MIN:
        return None
    length = max((n for n in LENGTHS if n <= len(found)), default=LENGTHS[0])
    spare = max(0, len(found) - length) // 2
    return np.resize(found[spare : spare + length], length)


def _runs(clean: NDArray[np.bool_], pause: int) -> Iterator[tuple[int, int]]:
    """Where there is speech, with shorter pauses than that in it."""
    found = np.flatnonzero(clean)
    if len(found):
        breaks = np.flatnonzero(np.diff(found) > pause)
        starts = found[np.append(0, breaks + 1)]
        stops = found[np.append(breaks, len(found) - 1)] + 1
        yield from zip(starts.tolist(), stops.tolist(), strict=True)


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
