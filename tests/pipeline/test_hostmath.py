import math

import mlx.core as mx
import mlx.nn as nn
import numpy as np
import pytest

from asr.pipeline import hostmath


@pytest.fixture(autouse=True)
def on_cpu() -> None:
    mx.set_default_device(mx.cpu)


def normal(*shape: int) -> mx.array:
    return mx.array(np.random.default_rng(0).normal(size=shape).astype(np.float32))


@pytest.mark.parametrize("frames", [1, 249, 250, 251, 600])
def test_attention_is_that_of_mlx(frames: int) -> None:
    queries, keys, values = (normal(2, 3, frames, 8) * size for size in (2, 2, 1))
    theirs = mx.fast.scaled_dot_product_attention(queries, keys, values, scale=8**-0.5)
    assert mx.allclose(hostmath.attend(queries, keys, values), theirs, rtol=0, atol=3e-5).item()


def test_attention_reads_views_as_well_as_what_lies_in_a_row() -> None:
    x = normal(2, 300, 3, 8).transpose(0, 2, 1, 3)
    ours = hostmath.attend(x, x, x)
    theirs = mx.fast.scaled_dot_product_attention(x, x, x, scale=8**-0.5)
    assert mx.allclose(ours, theirs, rtol=0, atol=3e-5).item()


def test_scores_that_no_exponential_could_hold_do_no_harm() -> None:
    x = mx.array([[[[300.0], [-300.0]]]])
    assert hostmath.attend(x, x, x).tolist() == [[[[300.0], [-300.0]]]]


def test_the_nonlinearity_is_that_of_mlx() -> None:
    x = normal(3, hostmath.NUMBERS // 2 + 1) * 3
    assert mx.allclose(hostmath.gelu(x), nn.gelu(x), rtol=1e-6, atol=1e-6).item()


def test_the_nonlinearity_is_exact_where_it_is_known() -> None:
    x = [-100.0, -8.0, -1.0, 0.0, 1.0, 8.0, 100.0]
    exact = [number * (1 + math.erf(number / math.sqrt(2))) / 2 for number in x]
    assert hostmath.gelu(mx.array(x)).tolist() == pytest.approx(exact, abs=3e-7)
