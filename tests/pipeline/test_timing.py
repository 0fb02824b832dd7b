from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from mlx_whisper.timing import median_filter as theirs

from asr.pipeline.timing import median_filter


@pytest.mark.parametrize("length", [1, 3, 4, 5, 7, 50])
def test_the_median_filter_is_mlx_whispers(length: int) -> None:
    numbers = np.random.default_rng(length).normal(size=(2, 3, length)).astype(np.float32)
    assert np.array(median_filter(mx.array(numbers))).tolist() == theirs(numbers, 7).tolist()
