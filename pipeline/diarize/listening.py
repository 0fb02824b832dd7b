"""The way of one audio through the networks: what they saw in each chunk, and the voices in it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.diarize.filterbank import SHIFT, Filterbank
from asr.pipeline.diarize.people import Heard, People, tell_apart
from asr.pipeline.diarize.voices import Piece, Place, Queue, cut, frame_map, pieces

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio
    from asr.pipeline.diarize.clusters import Wanted
    from asr.pipeline.diarize.grid import Grid

# Chunks and filterbank frames at once. More are no faster on a CPU, and one is slower.
CHUNKS = {"cpu": 4, "cuda": 32, "mps": 16}
FRAMES = {"cpu": 1600, "cuda": 12_800, "mps": 6400}


class Segmenter(Protocol):
    """Tells the class of each frame of chunks that follow each other: (chunks, frames)."""

    @property
    def grid(self) -> Grid: ...

    def __call__(self, samples: NDArray[np.float32], /) -> NDArray[np.uint8]: ...


class Embedder(Protocol):
    """Makes vectors, (pieces, numbers), of filterbanks of one length: (pieces, frames, bins)."""

    def __call__(self, frames: NDArray[np.float32], /) -> NDArray[np.float32]: ...


class Listening:
    """Works as its ``steps`` are taken; ``share`` of the audio is done."""

    def __init__(
        self,
        segment: Segmenter,
        embed: Embedder,
        audio: Audio,
        wanted: Wanted,
        *,
        device: str,
    ) -> None:
        self._segment, self._embed = segment, embed
        self._audio, self._wanted = audio, wanted
        self._grid = segment.grid
        self._at_once = CHUNKS[device]
        self._queue = Queue(FRAMES[device])
        self._bank = Filterbank(audio)
        self._map = frame_map(self._grid)
        self._count = self._grid.chunks(audio.samples)
        self._classes = np.zeros((self._count, self._grid.frames), np.uint8)
        self._heard: list[tuple[Place, float]] = []
        self._vectors = np.zeros((0, 0), np.float32)  # with room for more
        self.share = 0.0

    def steps(self) -> Iterator[None]:
        """Work while this is iterated over, up to a second of a core for each item."""
        for first in range(0, self._count, self._at_once):
            count = min(self._at_once, self._count - first)
            self._see(first, count)
            yield
            while batch := self._queue.take(last=first + count == self._count):
                self._hear(batch)
                yield
            self.share = (first + count) / self._count

    def people(self, *, fewest: int, most: int | None) -> Generator[None, None, People]:
        """Who speaks, once all steps were taken, with a breath now and then."""
        return tell_apart(
            self._result(), self._grid, replace(self._wanted, fewest=fewest, most=most)
        )

    def _see(self, first: int, count: int) -> None:
        """Tell who speaks in some chunks, and queue what is worth listening to."""
        samples = read_chunks(self._audio, self._grid, first, count)
        self._classes[first : first + count] = self._segment(samples)
        for chunk in range(first, first + count):
            self._select(chunk)

    def _select(self, chunk: int) -> None:
        grid = self._grid
        active = grid.members[self._classes[chunk]]  # (frames, speakers)
        alone = active.sum(axis=1) == 1
        begin = chunk * grid.step_samples // SHIFT
        bank = self._bank.between(begin, begin + len(self._map))
        mapped = self._map[: len(bank)]
        core = grid.core(chunk, self._count)
        for speaker in np.flatnonzero(active.any(axis=0)).tolist():
            clean = active[:, speaker] & alone
            for start, stop, first, last in pieces(clean, core, grid.frame_step_s):
                within = (mapped >= first) & (mapped < last) & clean[mapped]
                found = cut(np.flatnonzero(within))
                if found is not None:
                    seconds = int(within.sum()) * SHIFT / SAMPLE_RATE
                    piece = Piece(chunk, speaker, start, stop, seconds, bank[found])
                    self._queue.put(piece)

    def _hear(self, batch: list[Piece]) -> None:
        vectors = self._embed(np.stack([piece.frames for piece in batch]))
        count = len(self._heard)
        if count + len(batch) > len(self._vectors):  # rows of their own would litter the heap
            room = np.empty((count + len(batch), vectors.shape[1]), np.float32)
            self._vectors = np.concatenate([self._vectors[:count], room]) if count else room
        self._vectors[count : count + len(batch)] = vectors
        self._heard += [(piece.place, piece.seconds) for piece in batch]

    def _result(self) -> Heard:
        """What was heard, in order of time."""
        order = sorted(range(len(self._heard)), key=lambda row: self._heard[row])
        return Heard(
            self._classes,
            np.array([self._heard[row][0] for row in order], np.int64),
            self._vectors[order],
            np.array([self._heard[row][1] for row in order], np.float64),
        )


def read_chunks(audio: Audio, grid: Grid, first: int, count: int) -> NDArray[np.float32]:
    """The samples of chunks that follow each other, with zeros beyond the end."""
    start = first * grid.step_samples
    size = (count - 1) * grid.step_samples + grid.chunk_samples
    samples = audio.read(start / SAMPLE_RATE, (start + size) / SAMPLE_RATE)
    return np.pad(samples, (0, size - len(samples)))
