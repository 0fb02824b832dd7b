from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mlx_whisper.timing import dtw

from asr.pipeline.dtw import Matrix, warp


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    """Few different numbers, so that many ways cost the same; or noise."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    noise = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):
        return noise.normal(size=(rows, columns)).astype(np.float32)
    step = draw(st.sampled_from([0.1, 1.0]))
    return (step * noise.integers(-2, 3, size=(rows, columns))).astype(np.float32)


@given(st.lists(matrices(), min_size=1, max_size=4))
def test_paths_are_mlx_whispers_whatever_else_is_warped_beside(costs: list[Matrix]) -> None:
    assert [path.tolist() for path in warp(costs)] == [dtw(cost).tolist() for cost in costs]


def test_a_path_of_the_size_of_a_window_is_mlx_whispers() -> None:
    costs = np.random.default_rng(3).normal(size=(90, 1500)).astype(np.float32)
    assert warp([costs])[0].tolist() == dtw(costs).tolist()
