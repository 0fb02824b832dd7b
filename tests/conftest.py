from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from asr.blas import preload_blas
from tests.fakes import FakeThread

if TYPE_CHECKING:
    from collections.abc import Iterator

# The BLAS that is there when MLX is first imported is used to the end, and test files import MLX:
# so it is loaded here and not in a fixture. On two cores that have other work, two threads of it
# wait for each other: measured twice as slow as one.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
preload_blas()

# A busy machine is slow now and then, which says nothing of the code.
settings.register_profile("house", deadline=None)
settings.load_profile("house")


@pytest.fixture(scope="module", autouse=True)
def frozen() -> Iterator[None]:
    """Who collects garbage looks at what the module made, not at every test and library there is.

    A house collects when it ends: measured, a second of each test that has one.
    """
    gc.freeze()
    yield
    gc.collect()


@pytest.fixture
def thread() -> FakeThread:
    return FakeThread()
