"""Which vectors are one person's: agglomerative clustering, within bounds.

The two groups most alike become one, until none are more alike than a threshold. Alike is how the
middles of two groups point the same way, given how much the vectors of each differ among
themselves: two pieces of one person's speech are far less alike than two minutes of it, and some
people vary more than others. So the mean cosine between two groups is divided by the mean cosines
within them, and groups of few vectors, which cannot tell theirs, are taken to be as others are.
pyannote's centroid linkage does not know of that, which matters little for vectors of whole
chunks, but for short pieces of speech it does.

Clustering all pairs would grow with the square of the audio's length, and be one call that nobody
can interrupt. Here no more than ``ROOM`` groups are ever compared: when there are more, those most
alike are merged until half are left, which are merges that would have been made at last in any
case. And merging goes on in small portions.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

# Groups compared at once: 1200 take 25 MB. An hour of talk has about 1800 pieces.
ROOM = 1200

# Merges between two breaths: some 10 ms.
PORTION = 200

# The mean cosine within a group is taken to be this, with the weight of so many pairs of vectors.
WITHIN = 0.55
PAIRS = 20.0

# How far apart two vectors of one person may be by chance; of groups the less, the larger they are.
CHANCE = 0.25

# A number of people that was told is looked for with cuts this near to the threshold first, also
# among clusters that are smaller than wanted, but not tiny.
NEAR = 0.05
TINY = 2


@dataclass(frozen=True, slots=True)
class Merge:
    """Group ``other`` became part of group ``one``, ``height`` away from it.

    ``highest`` is the largest height among the merges that made the group: two groups can be more
    alike than what they are made of.
    """

    one: int
    other: int
    height: float
    highest: float


class Forest:
    """Groups of vectors of length 1, of which those most alike are merged, in order.

    ``sums`` has the sum of each group's vectors, (groups, numbers), ``weights`` their number.
    ``merges`` says which were merged. A height is the distance of two vectors of length 1 as alike
    as the groups are, from 0 to 2, less what groups so small may be apart by chance.
    """

    def __init__(self, sums: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        self.sums, self.weights = sums, weights
        self.merges: list[Merge] = []
        self._sizes = weights.copy()
        self._products = sums @ sums.T
        self._within = within(self._products.diagonal(), weights)
        self._alike = np.empty_like(self._products)
        for one in range(len(weights)):
            self._alike[one] = self._likeness(one)
        self._next = self._alike.argmax(axis=1)
        self._most = self._alike.max(axis=1)
        self._highest = np.zeros(len(weights))

    @property
    def left(self) -> int:
        """How many groups there are by now."""
        return len(self.weights) - len(self.merges)

    def merge_until(self, left: int) -> Iterator[None]:
        """Merge until so many groups are left, at least one, with a breath now and then."""
        while self.left > max(1, left):
            self._merge()
            if len(self.merges) % PORTION == 0:
                yield

    def _likeness(self, one: int) -> NDArray[np.float64]:
        """How much alike a group is to all; not at all to itself."""
        scale = self._sizes * self._sizes[one] * np.sqrt(self._within * self._within[one])
        alike: NDArray[np.float64] = self._products[one] / scale
        alike[one] = -np.inf
        return alike

    def _merge(self) -> None:
        one = int(self._most.argmax())
        other = int(self._next[one])
        one, other = min(one, other), max(one, other)
        chance = CHANCE / min(self._sizes[one], self._sizes[other]) ** 0.5
        height = max(0.0, 2.0 - 2.0 * float(self._alike[one, other])) ** 0.5 - float(chance)
        self._highest[one] = max(height, self._highest[one], self._highest[other])
        self.merges.append(Merge(one, other, height, float(self._highest[one])))
        self._products[one] += self._products[other]
        self._products[:, one] += self._products[:, other]
        self._sizes[one] += self._sizes[other]
        self._within[one] = within(self._products[one, one], self._sizes[one])
        row = self._likeness(one)
        row[np.isinf(self._most)] = -np.inf  # those who were merged before
        row[other] = -np.inf
        self._replace(one, other, row)

    def _replace(self, one: int, other: int, row: NDArray[np.float64]) -> None:
        """``other`` is gone, and ``one`` is as much alike to all as ``row`` says."""
        alike, following, most = self._alike, self._next, self._most
        alike[other], alike[:, other] = -np.inf, -np.inf
        alike[one], alike[:, one] = row, row
        most[other] = -np.inf
        more = row > most
        lost = np.isfinite(most) & ((following == one) | (following == other)) & ~more
        lost[one] = True
        following[more], most[more] = one, row[more]
        rows = np.flatnonzero(lost)
        following[rows] = alike[rows].argmax(axis=1)
        most[rows] = alike[rows, following[rows]]


def within(squares: Any, sizes: Any) -> Any:
    """The mean cosine of two vectors of a group, given the squared length of their sum."""
    pairs = sizes * (sizes - 1)
    return np.maximum((squares - sizes + PAIRS * WITHIN) / (pairs + PAIRS), 0.05)


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
        return Forest(self.sums, self.weights)

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
    """The cut with so many large clusters that is nearest to the threshold.

    Rather are they smaller than it is far. Of size 1 there always are as many somewhere.
    """
    heights = np.array([0.0, *(merge.height for merge in forest.merges)])
    away = np.abs(heights - threshold)
    for near, tiny in ((NEAR, TINY), (np.inf, 0)):
        for least in range(size, tiny, -1):
            fits = (np.array(_larges(forest, least)) == count) & (away <= near)
            if fits.any():
                done = int(np.where(fits, away, np.inf).argmin())
                member = after(forest.merges[:done], len(forest.weights))
                return member, _large(member, forest.weights, least)
    raise AssertionError("merges one by one lead past every number of groups")


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
    if not len(large):
        return np.zeros_like(member)
    middles = middles_of(forest.sums, member)
    home = large[(middles @ middles[large].T).argmax(axis=1)]
    home[large] = large
    _, numbered = np.unique(home[member], return_inverse=True)
    return numbered.astype(np.int64)


def middles_of(vectors: NDArray[np.float64], member: NDArray[np.int64]) -> NDArray[np.float64]:
    """Where the vectors of each cluster point to, at length 1: (clusters, numbers)."""
    sums = np.zeros((int(member.max()) + 1, vectors.shape[1]))
    np.add.at(sums, member, vectors)
    return normalised(sums)


def normalised(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """The vectors with length 1; one without a length stays as it is."""
    wide = vectors.astype(np.float64)
    lengths = np.linalg.norm(wide, axis=-1, keepdims=True)
    return wide / np.where(lengths > 0, lengths, 1.0)
