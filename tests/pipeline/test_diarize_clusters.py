"""Which vectors are one person's, against a plain clustering that compares all anew each time."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pytest

from asr.pipeline.diarize.clusters import (
    CHANCE,
    PAIRS,
    WITHIN,
    Forest,
    Pool,
    Wanted,
    after,
    cut,
    normalised,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

THRESHOLD = 0.6


def voices(people: int, each: int, *, spread: float = 0.35, seed: int = 0) -> NDArray[np.float64]:
    """Vectors of people who take turns: row i is of person i % people."""
    random = np.random.default_rng(seed)
    middles = normalised(random.standard_normal((people, 64)))
    noise = random.standard_normal((people * each, 64)) / 8
    return normalised(np.tile(middles, (each, 1)) + spread * noise)


def grown(vectors: NDArray[np.float64], *, room: int = 10_000) -> tuple[Forest, NDArray[np.int64]]:
    """The tree of some vectors, and which of its groups each is in."""
    pool = Pool(room)
    assert all(len(pool.weights) <= room for _ in pool.add(vectors))
    forest = pool.forest()
    list(forest.merge_until(1))
    return forest, pool.groups


def same(one: NDArray[np.int64], other: NDArray[np.int64]) -> bool:
    """Whether two labellings tell the same groups."""
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


def plainly(vectors: NDArray[np.float64]) -> list[float]:
    """The heights of all merges, by the definition."""
    groups = [vectors[[row]] for row in range(len(vectors))]
    heights = []
    while len(groups) > 1:
        own = [(np.sum(g @ g.T) - len(g) + PAIRS * WITHIN) for g in groups]
        own = [o / (len(g) * (len(g) - 1) + PAIRS) for o, g in zip(own, groups, strict=True)]
        pairs = {
            (i, j): np.mean(groups[i] @ groups[j].T) / (own[i] * own[j]) ** 0.5
            for i, j in combinations(range(len(groups)), 2)
        }
        i, j = max(pairs, key=lambda pair: pairs[pair])
        chance = CHANCE / min(len(groups[i]), len(groups[j])) ** 0.5
        heights.append(max(0.0, 2 - 2 * pairs[i, j]) ** 0.5 - chance)
        groups[i] = np.concatenate([groups[i], groups.pop(j)])
    return heights


@pytest.mark.parametrize("seed", range(3))
def test_merges_are_those_of_the_definition(seed: int) -> None:
    vectors = np.concatenate([voices(3, 7, seed=seed), voices(9, 1, seed=seed + 10)])
    forest, _ = grown(vectors)
    assert [merge.height for merge in forest.merges] == pytest.approx(plainly(vectors))


def test_a_group_is_cut_where_any_merge_in_it_was_too_far() -> None:
    forest, _ = grown(voices(3, 7))
    for height in (0.2, 0.5, 0.8):
        low = [merge for merge in forest.merges if merge.highest <= height]
        member = after(low, 21)
        assert member.max() + 1 == 21 - len(low)
        assert all(member[merge.one] == member[merge.other] for merge in low)


@pytest.mark.parametrize("people", [1, 2, 7])
def test_as_many_people_are_found_as_there_are(people: int) -> None:
    forest, _ = grown(voices(people, 40))
    assert same(cut(forest, Wanted(THRESHOLD, 5)), np.arange(people * 40) % people)


def test_so_few_vectors_that_nobody_could_be_large_are_people_too() -> None:
    forest, _ = grown(voices(2, 2))
    assert same(cut(forest, Wanted(THRESHOLD, 5)), np.arange(4) % 2)


def test_people_who_vary_much_and_people_who_vary_little_are_told_apart_alike() -> None:
    mixed = np.concatenate([voices(2, 30, spread=0.2), voices(2, 30, spread=0.8, seed=5)])
    forest, _ = grown(mixed)
    truth = np.append(np.arange(60) % 2, 2 + np.arange(60) % 2)
    assert same(cut(forest, Wanted(THRESHOLD, 5)), truth)


def test_who_is_heard_once_is_taken_for_the_one_most_alike() -> None:
    two = voices(2, 30)
    stray = normalised(two[:1] + 2 * voices(1, 1, seed=9))
    forest, _ = grown(np.concatenate([two, stray]))
    assert same(cut(forest, Wanted(THRESHOLD, 1)), np.append(np.arange(60) % 2, 2))
    assert same(cut(forest, Wanted(THRESHOLD, 5)), np.append(np.arange(60) % 2, 0))


@pytest.mark.parametrize("count", [1, 2, 3, 5, 17, 40])
def test_there_are_as_many_as_was_said(count: int) -> None:
    forest, _ = grown(voices(4, 10))
    found = cut(forest, Wanted(THRESHOLD, 5, fewest=count, most=count))
    assert sorted(set(found.tolist())) == list(range(count))


def test_bounds_change_nothing_if_they_hold() -> None:
    forest, _ = grown(voices(4, 10))
    free = cut(forest, Wanted(THRESHOLD, 5))
    assert cut(forest, Wanted(THRESHOLD, 5, fewest=2, most=6)).tolist() == free.tolist()
    assert cut(forest, Wanted(THRESHOLD, 5, fewest=5)).max() == 4
    assert cut(forest, Wanted(THRESHOLD, 5, most=3)).max() == 2


def test_with_fewer_vectors_than_people_each_is_one() -> None:
    forest, _ = grown(voices(2, 1))
    assert cut(forest, Wanted(THRESHOLD, 5, fewest=3, most=3)).tolist() == [0, 1]


def test_one_vector_is_one_person() -> None:
    forest, groups = grown(voices(1, 1))
    assert cut(forest, Wanted(THRESHOLD, 5)).tolist() == groups.tolist() == [0]


def test_with_little_room_the_same_people_are_found() -> None:
    vectors = voices(6, 100)
    whole, _ = grown(vectors)
    forest, groups = grown(vectors, room=80)
    assert len(forest.weights) <= 80
    assert forest.weights.sum() == len(vectors)
    assert same(cut(forest, Wanted(THRESHOLD, 5))[groups], cut(whole, Wanted(THRESHOLD, 5)))


def test_a_vector_of_no_length_stays_as_it_is() -> None:
    assert normalised(np.array([[0.0, 0.0], [3.0, 4.0]])).tolist() == [[0.0, 0.0], [0.6, 0.8]]
