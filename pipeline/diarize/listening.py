"""The way of one audio through the networks: what they saw in each chunk, and the voices in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.diarize.filterbank import SHIFT, Filterbank
from asr.pipeline.diarize.voices import Piece, Queue, frame_map, select

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio
    from asr.pipeline.diarize.turns import Grid

# Chunks and filterbank frames at once. More are no faster on a CPU, and one is slower.
CHUNKS = {"cpu": 4, "cuda": 32, "metal": 16}
FRAMES = {"cpu": 1600, "cuda": 12_800, "metal": 6400}


# Of a speaker in a chunk so much is heard at most.
SECONDS_MAX = 4.0


class Segment(Protocol):
    """Tells the class of each frame of chunks that follow each other: (chunks, frames)."""

    @property
    def grid(self) -> Grid: ...

    def __call__(self, samples: NDArray[np.float32], /) -> NDArray[np.uint8]: ...


class Embed(Protocol):
    """Makes vectors, (pieces, numbers), of filterbanks: (pieces, frames, bins)."""

    def __call__(self, frames: NDArray[np.float32], /) -> NDArray[np.float32]: ...


class Ears(Protocol):
    """The two networks of a source."""

    @property
    def segment(self) -> Segment: ...

    @property
    def embed(self) -> Embed: ...


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What was heard of an audio.

    ``classes`` is what the network saw, (chunks, frames). Row by row, ``vectors`` are voices, of
    the ``speakers`` of ``chunks``, who are the only ones to speak in ``clean`` frames of these.
    """

    classes: NDArray[np.uint8]
    chunks: NDArray[np.int64]
    speakers: NDArray[np.int64]
    vectors: NDArray[np.float32]
    clean: NDArray[np.int64]


class Listening:
    """Works as its ``steps`` are taken; ``share`` of the audio is done."""

    def __init__(self, ears: Ears, audio: Audio, *, device: str) -> None:
        self._ears, self._audio = ears, audio
        self._grid = ears.segment.grid
        self._at_once = CHUNKS[device]
        self._queue = Queue(FRAMES[device])
        self._bank = Filterbank(audio)
        self._map = frame_map(self._grid)
        self._most = round(SECONDS_MAX * SAMPLE_RATE / SHIFT)
        self._count = self._grid.chunks(audio.samples)
        self._classes = np.zeros((self._count, self._grid.frames), np.uint8)
        self._heard: list[tuple[int, int, NDArray[np.float32]]] = []
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

    def _see(self, first: int, count: int) -> None:
        """Tell who speaks in some chunks, and queue what is worth listening to."""
        grid = self._grid
        start = first * grid.step_samples
        size = (count - 1) * grid.step_samples + grid.chunk_samples
        samples = self._audio.read(start / SAMPLE_RATE, (start + size) / SAMPLE_RATE)
        padded = np.pad(samples, (0, size - len(samples)))
        self._classes[first : first + count] = self._ears.segment(padded)
        for chunk in range(first, first + count):
            self._select(chunk)

    def _select(self, chunk: int) -> None:
        active = self._grid.members[self._classes[chunk]]  # (frames, speakers)
        alone = active.sum(axis=1) == 1
        start = chunk * self._grid.step_samples // SHIFT
        bank = self._bank.between(start, start + len(self._map))
        mapped = self._map[: len(bank)]
        for speaker in np.flatnonzero(active.any(axis=0)).tolist():
            speaks = active[:, speaker]
            found = select(speaks[mapped], (speaks & alone)[mapped], most=self._most)
            if found is not None:
                self._queue.put(Piece(chunk, speaker, bank[found]))

    def _hear(self, batch: list[Piece]) -> None:
        vectors = self._ears.embed(np.stack([piece.frames for piece in batch]))
        self._heard += [(p.chunk, p.speaker, v) for p, v in zip(batch, vectors, strict=True)]

    def result(self) -> Heard:
        """What was heard, in order of time, once all steps were taken."""
        heard = sorted(self._heard, key=lambda item: item[:2])
        chunks = np.array([chunk for chunk, _, _ in heard], np.int64)
        speakers = np.array([speaker for _, speaker, _ in heard], np.int64)
        vectors = np.array([vector for _, _, vector in heard], np.float32)
        members = self._grid.members
        clean = np.zeros(len(heard), np.int64)
        for row, (chunk, speaker, _) in enumerate(heard):
            active = members[self._classes[chunk]]
            clean[row] = (active[:, speaker] & (active.sum(axis=1) == 1)).sum()
        return Heard(self._classes, chunks, speakers, vectors, clean)
