"""Who the speakers of all chunks are: as many people as their voices tell apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr.pipeline.diarize.clusters import Pool, Wanted, cut, middles_of, normalised
from asr.pipeline.diarize.turns import NOBODY

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from asr.pipeline.diarize.listening import Heard

# Whose voices may say how many people there are: who is heard alone in this share of a chunk.
# The first is pyannote's; the others are for audio in which nobody speaks for so long.
CLEAN_SHARES = (0.2, 0.1, 0.05)


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """``names`` says which of them a speaker of a chunk is, (chunks, speakers), or NOBODY;
    ``voices`` has a vector of length 1 for each, (people, numbers), unless no voice was heard."""

    count: int
    names: NDArray[np.int32]
    voices: NDArray[np.float64]


def tell_apart(heard: Heard, speakers: int, wanted: Wanted) -> Generator[None, None, People]:
    """Find the people, with a breath now and then; ``speakers`` is how many a chunk can have."""
    chunks, frames = heard.classes.shape
    if not len(heard.vectors):  # less than a fifth of a second of each: it may be one person
        return People(1, np.zeros((chunks, speakers), np.int32), np.zeros((0, 0)))
    vectors = normalised(heard.vectors)
    loud = _loud(heard, frames, wanted.fewest)
    pool = Pool()
    yield from pool.add(vectors[loud])
    forest = pool.forest()
    yield from forest.merge_until(1)
    member = cut(forest, wanted)[pool.groups]
    voices = normalised(middles_of(vectors[loud], np.ones(len(member)), member))
    names = np.full((chunks, speakers), 0 if len(voices) == 1 else NOBODY, np.int32)
    names[heard.chunks, heard.speakers] = assign(heard.chunks, vectors @ voices.T)
    return People(len(voices), names, voices)


def _loud(heard: Heard, frames: int, fewest: int) -> NDArray[np.int64]:
    """The rows of those who were heard well enough to found somebody."""
    shares = (np.flatnonzero(heard.clean >= share * frames) for share in CLEAN_SHARES)
    enough = (rows for rows in shares if len(rows) >= max(1, fewest))
    return next(enough, np.arange(len(heard.clean)))


def assign(chunks: NDArray[np.int64], alike: NDArray[np.float64]) -> NDArray[np.int64]:
    """Whom each row's voice is most alike, given (rows, people); rows of a chunk stand together.

    Speakers of one chunk are different people, as long as there are enough of them.
    """
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    found: NDArray[np.int64] = alike.argmax(axis=1)
    _, starts, counts = np.unique(chunks, return_index=True, return_counts=True)
    for start, count in zip(starts[counts > 1], counts[counts > 1], strict=True):
        rows, people = linear_sum_assignment(alike[start : start + count], maximize=True)
        found[start + rows] = people
    return found
