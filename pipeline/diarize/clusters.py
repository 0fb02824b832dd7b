"""Which vectors are one person's: agglomerative clustering by centroids, within bounds.

The nearest two groups become one, until none are nearer than a threshold, as in pyannote.audio's
AgglomerativeClustering with ``method="centroid"``. It wants the distances of all pairs, which grow
with the square of the audio's length, and one call that nobody can interrupt. Here no more than
``ROOM`` groups are ever compared: when there are more, the nearest are merged until half are left,
which are merges that would have been made at last in any case. Merging goes on in small portions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# Groups compared at once: 1500 take 18 MB. An hour of talk has about 1900 vectors.
ROOM = 1500

# Merges between two breaths: some 10 ms.
PORTION = 200


@dataclass(frozen=True, slots=True)
class Merge:
    """Group ``other`` became part of group ``one``, ``height`` away from it.

    ``highest`` is the largest height among the merges that made the group: centroids can come
    nearer to each other than their parts were.
    """

    one: int
    other: int
    height: float
    highest: float


@dataclass(slots=True)
class Forest:
    """Groups of vectors, of which the nearest are merged. ``merges`` says which and when."""

    vectors: NDArray[np.float64]  # (groups, numbers): where each group's middle is
    weights: NDArray[np.float64]  # (groups,): how many vectors it is made of
    merges: list[Merge] = field(default_factory=list)
    _squares: NDArray[np.float64] = field(init=False, repr=False)
    _nearest: NDArray[np.int64] = field(init=False, repr=False)
    _distance: NDArray[np.float64] = field(init=False, repr=False)
    _highest: NDArray[np.float64] = field(init=False, repr=False)
    _weights: NDArray[np.float64] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        lengths = np.einsum("ij,ij->i", self.vectors, self.vectors)
        products = self.vectors @ self.vectors.T
        self._squares = np.maximum(lengths[:, None] + lengths[None, :] - 2 * products, 0.0)
        np.fill_diagonal(self._squares, np.inf)
        self._nearest = self._squares.argmin(axis=1)
        self._distance = self._squares.min(axis=1)
        self._highest = np.zeros(len(self.vectors))
        self._weights = self.weights.copy()

    @property
    def left(self) -> int:
        """How many groups there are by now."""
        return len(self.vectors) - len(self.merges)

    def merge_until(self, left: int) -> Iterator[None]:
        """Merge until so many groups are left, at least one, with a breath now and then."""
        while self.left > max(1, left):
            self._merge()
            if len(self.merges) % PORTION == 0:
                yield

    def _merge(self) -> None:
        one = int(self._distance.argmin())
        other = int(self._nearest[one])
        one, other = min(one, other), max(one, other)
        square = float(self._squares[one, other])
        self._highest[one] = max(square**0.5, self._highest[one], self._highest[other])
        self.merges.append(Merge(one, other, square**0.5, float(self._highest[one])))
        # Lance and Williams, "A general theory of classificatory sorting strategies" (1967).
        mine, its = self._weights[one], self._weights[other]
        share, rest = mine / (mine + its), its / (mine + its)
        row = share * self._squares[one] + rest * self._squares[other] - share * rest * square
        row[[one, other]] = np.inf
        self._weights[one] += its
        self._replace(one, other, np.maximum(row, 0.0))

    def _replace(self, one: int, other: int, row: NDArray[np.float64]) -> None:
        """``other`` is gone, and ``one`` is where ``row`` says."""
        squares, nearest, distance = self._squares, self._nearest, self._distance
        squares[other], squares[:, other] = np.inf, np.inf
        squares[one], squares[:, one] = row, row
        distance[other] = np.inf
        nearer = row < distance
        nearest[nearer], distance[nearer] = one, row[nearer]
        lost = np.isfinite(distance) & ((nearest == one) | (nearest == other)) & ~nearer
        lost[one] = True
        rows = np.flatnonzero(lost)
        nearest[rows] = squares[rows].argmin(axis=1)
        distance[rows] = squares[rows, nearest[rows]]


@dataclass(slots=True)
class Pool:
    """Vectors of length 1, taken in some at a time: never more than ROOM groups of them.

    ``groups`` says of each vector which group it is in by now.
    """

    room: int = ROOM
    groups: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    sums: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    weights: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))

    def add(self, vectors: NDArray[np.floating]) -> Iterator[None]:
        """Take in more vectors, (vectors, numbers), with a breath now and then."""
        for start in range(0, len(vectors), self.room // 2):
            some = vectors[start : start + self.room // 2].astype(np.float64)
            before = len(self.weights)
            self.sums = np.concatenate([self.sums, some]) if before else some
            self.weights = np.concatenate([self.weights, np.ones(len(some))])
            self.groups = np.concatenate([self.groups, before + np.arange(len(some))])
            if len(self.weights) > self.room:
                yield from self._shrink()
            yield

    def forest(self) -> Forest:
        """The groups as they are, to be merged further."""
        return Forest(self.sums / self.weights[:, None], self.weights)

    def _shrink(self) -> Iterator[None]:
        forest = self.forest()
        yield from forest.merge_until(self.room // 2)
        member = after(forest.merges, len(self.weights))
        count = int(member.max()) + 1
        sums = np.zeros((count, self.sums.shape[1]))
        np.add.at(sums, member, self.sums)
        self.weights = np.bincount(member, self.weights, count).astype(np.float64)
        self.sums, self.groups = sums, member[self.groups]


def after(merges: Sequence[Merge], count: int) -> NDArray[np.int64]:
    """Which group each of ``count`` is in after these merges, numbered from 0 in their order."""
    parent = np.arange(count)
    for merge in merges:
        parent[merge.other] = merge.one
    for item in range(count):  # a parent has the smaller number: it is settled by then
        parent[item] = parent[parent[item]]
    _, numbered = np.unique(parent, return_inverse=True)
    return numbered.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Wanted:
    """How many clusters there are to be, and what is one: ``size`` vectors or more, if it can be.

    ``threshold`` is the distance from which on two groups are two people's.
    """

    threshold: float
    size: int
    fewest: int = 1
    most: int | None = None


def cut(forest: Forest, wanted: Wanted) -> NDArray[np.int64]:
    """The cluster of each group of a forest of which one tree is left.

    Small clusters become part of those whose middle is nearest. As many are told as are wanted,
    unless there are fewer groups: then each is one.
    """
    total = float(forest.weights.sum())
    size = min(wanted.size, max(1, round(0.1 * total)))  # pyannote's rule for short audio
    low = [merge for merge in forest.merges if merge.highest <= wanted.threshold]
    member = after(low, len(forest.weights))
    large = _large(member, forest.weights, size)
    most = len(forest.weights) if wanted.most is None else wanted.most
    count = min(max(len(large), wanted.fewest, 1), max(most, 1), len(forest.weights))
    if len(large) != count:
        member, large = _told(forest, wanted.threshold, size, count)
    return _absorbed(forest, member, large)


def _told(
    forest: Forest, threshold: float, size: int, count: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cut nearest to the threshold with so many large clusters; if there is none, of a lesser
    size. Of size 1 there always is one."""
    while True:
        numbers = _larges(forest, size)
        fitting = [done for done, number in enumerate(numbers) if number == count]
        if fitting or size == 1:
            break
        size //= 2
    heights = [0.0, *(merge.height for merge in forest.merges)]
    done = min(fitting, key=lambda done: abs(heights[done] - threshold))
    member = after(forest.merges[:done], len(forest.weights))
    return member, _large(member, forest.weights, size)


def _larges(forest: Forest, size: int) -> list[int]:
    """How many large clusters there are after each merge, before the first one at first."""
    weights = forest.weights.copy()
    number = int((weights >= size).sum())
    numbers = [number]
    for merge in forest.merges:
        before = int(weights[merge.one] >= size) + int(weights[merge.other] >= size)
        weights[merge.one] += weights[merge.other]
        number += int(weights[merge.one] >= size) - before
        numbers.append(number)
    return numbers


def _large(member: NDArray[np.int64], weights: NDArray[np.float64], size: int) -> NDArray[np.int64]:
    return np.flatnonzero(np.bincount(member, weights) >= size)


def _absorbed(
    forest: Forest, member: NDArray[np.int64], large: NDArray[np.int64]
) -> NDArray[np.int64]:
    """The members of small clusters in the large ones that are most alike."""
    middles = normalised(middles_of(forest.vectors, forest.weights, member))
    if not len(large):
        return np.zeros_like(member)
    home = large[(middles @ middles[large].T).argmax(axis=1)]
    home[large] = large
    _, numbered = np.unique(home[member], return_inverse=True)
    return numbered.astype(np.int64)


def middles_of(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], member: NDArray[np.int64]
) -> NDArray[np.float64]:
    """The middle of each cluster: (clusters, numbers)."""
    sums = np.zeros((int(member.max()) + 1, vectors.shape[1]))
    np.add.at(sums, member, vectors * weights[:, None])
    return sums / np.bincount(member, weights)[:, None]


def normalised(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """The vectors with length 1; one without a length stays as it is."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1.0)
