"""Who speaks in all chunks: as many people as their voices tell apart, and where each is heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from asr.pipeline.diarize.clusters import Pool, Wanted, cut, middles_of, normalised
from asr.pipeline.diarize.turns import NOBODY, Recognition, recognise

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio
    from asr.pipeline.diarize.grid import Grid

# Pieces of so many seconds may say how many people there are; shorter ones if there are no others.
LOUD_S = (1.0, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Who speaks in an audio, and ``who`` is whom in its chunks.

    ``classes`` is what the network saw of it, (chunks, frames). Row by row, ``voices`` are vectors
    of length 1, (people, numbers), and ``often`` says how much was heard of each. If nobody could
    be heard well enough there is one person at most, without a voice.
    """

    count: int
    classes: NDArray[np.uint8]
    who: Recognition
    voices: NDArray[np.float64]
    often: NDArray[np.float64]


class Hearing(Protocol):
    """An audio on its way through the networks of a source."""

    @property
    def share(self) -> float:
        """How much of the audio is done, from 0 to 1."""
        ...

    def steps(self) -> Iterator[None]:
        """Work while this is iterated over, up to a second of a core for each item."""
        ...

    def people(self, *, fewest: int, most: int | None) -> Generator[None, None, People]:
        """Who speaks, once all steps were taken, with a breath now and then."""
        ...


class Networks(Protocol):
    """What a source has. ``voice_model`` says what makes its voices, ``device`` where, as torch has
    it.
    """

    @property
    def voice_model(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def grid(self) -> Grid: ...

    def hear(self, audio: Audio) -> Hearing: ...


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What was heard of an audio.

    ``classes`` is what the network saw, (chunks, frames). Row by row, ``vectors`` are the voices of
    pieces of it, which were heard in ``seconds``: (rows, 4) ``places`` are the chunk, its speaker,
    and the chunk's frames from one up to another.
    """

    classes: NDArray[np.uint8]
    places: NDArray[np.int64]
    vectors: NDArray[np.float32]
    seconds: NDArray[np.float64]

    def marked(self, grid: Grid, who: NDArray[np.int64]) -> NDArray[np.int16]:
        """The time line with ``who`` speaks in each piece, and NOBODY elsewhere: (frames,)."""
        own = np.full(grid.length(len(self.classes)), NOBODY, np.int16)
        for (chunk, speaker, start, stop), name in zip(self.places.tolist(), who, strict=True):
            active = grid.members[self.classes[chunk, start:stop]]
            frames = grid.first_frame(chunk) + start + np.flatnonzero(active[:, speaker])
            own[frames] = name
        return own


def tell_apart(heard: Heard, grid: Grid, wanted: Wanted) -> Generator[None, None, People]:
    """Find the people, with a breath now and then."""
    if not len(heard.vectors):
        return nobody(heard.classes)
    vectors = normalised(heard.vectors)
    loud = _loud(heard.seconds, wanted.fewest)
    pool = Pool()
    yield from pool.add(vectors[loud])
    forest = pool.forest()
    yield from forest.merge_until(1)
    member = cut(forest, wanted)[pool.groups]
    voices = middles_of(vectors[loud], member)
    own = (vectors @ voices.T).argmax(axis=1)
    often = np.bincount(own, heard.seconds, len(voices)).astype(np.float64)
    line = heard.marked(grid, own)

    def who(chunk: int, active: NDArray[np.bool_]) -> NDArray[np.int64]:
        first = grid.first_frame(chunk)
        return recognise(active, line[first : first + len(active)])

    return People(len(voices), heard.classes, who, voices, often)


def nobody(classes: NDArray[np.uint8]) -> People:
    """Whoever speaks is one person: so short is it that no voice was heard."""

    def who(_: int, active: NDArray[np.bool_]) -> NDArray[np.int64]:
        return np.where(active, 0, NOBODY)

    return People(1, classes, who, np.zeros((0, 0)), np.zeros(0))


def _loud(seconds: NDArray[np.float64], fewest: int) -> NDArray[np.int64]:
    """The rows of those who were heard well enough to found somebody."""
    choices = (np.flatnonzero(seconds >= least) for least in LOUD_S)
    enough = (rows for rows in choices if len(rows) >= max(1, fewest))
    return next(enough, np.arange(len(seconds)))
