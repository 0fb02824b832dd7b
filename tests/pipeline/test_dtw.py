from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from mlx_whisper.timing import dtw

from asr.pipeline.dtw import Matrix, reached


@st.composite
def matrices(draw: st.DrawFn) -> Matrix:
    """Few different numbers, so that many ways cost the same; or noise."""
    rows, columns = draw(st.integers(1, 9)), draw(st.integers(1, 9))
    noise = np.random.default_rng(draw(st.integers(0, 2**32)))
    if draw(st.booleans()):
        return noise.normal(size=(rows, columns)).astype(np.float32)
    step = draw(st.sampled_from([0.1, 1.0]))
    return (step * noise.integers(-2, 3, size=(rows, columns))).astype(np.float32)


def theirs(costs: Matrix) -> list[int]:
    rows, columns = dtw(costs)
    first: list[int] = columns[np.diff(rows, prepend=-1) > 0].tolist()
    return first


@given(matrices())
def test_paths_reach_the_rows_where_mlx_whispers_do(costs: Matrix) -> None:
    assert reached(costs) == theirs(costs)


def test_so_do_those_of_the_size_of_a_window() -> None:
    costs = np.random.default_rng(3).normal(size=(90, 1500)).astype(np.float32)
    assert reached(costs) == theirs(costs)
