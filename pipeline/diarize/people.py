"""Who speaks in all chunks: as many people as their voices tell apart, and where each is heard."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr.pipeline.diarize.clusters import Pool, Wanted, cut, middles_of, normalised

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from asr.pipeline.diarize.listening import Heard
    from asr.pipeline.diarize.turns import Grid

# Pieces of so many seconds may say how many people there are; shorter ones if there are no others.
LOUD_S = (1.0, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """``own`` says of each frame of the time line which of them is recognised, or NOBODY;
    ``voices`` has a vector of length 1 for each, (people, numbers), unless no voice was heard."""

    count: int
    own: NDArray[np.int16]
    voices: NDArray[np.float64]


def tell_apart(heard: Heard, grid: Grid, wanted: Wanted) -> Generator[None, None, People]:
    """Find the people, with a breath now and then."""
    if not len(heard.vectors):  # less than a fifth of a second of each: it may be one person
        own = np.zeros(grid.length(len(heard.classes)), np.int16)
        return People(1, own, np.zeros((0, 0)))
    vectors = normalised(heard.vectors)
    loud = _loud(heard.seconds, wanted.fewest)
    pool = Pool()
    yield from pool.add(vectors[loud])
    forest = pool.forest()
    yield from forest.merge_until(1)
    member = cut(forest, wanted)[pool.groups]
    voices = middles_of(vectors[loud], member)
    who = (vectors @ voices.T).argmax(axis=1)
    return People(len(voices), heard.marked(grid, who), voices)


def _loud(seconds: NDArray[np.float64], fewest: int) -> NDArray[np.int64]:
    """The rows of those who were heard well enough to found somebody."""
    choices = (np.flatnonzero(seconds >= least) for least in LOUD_S)
    enough = (rows for rows in choices if len(rows) >= max(1, fewest))
    return next(enough, np.arange(len(seconds)))
