"""What the host reads of arrays on the device. Reading waits until they are computed."""

from typing import cast

import mlx.core as mx


def ints(array: mx.array) -> list[int]:
    """An integer array of shape (n,) as a list."""
    return cast("list[int]", array.tolist())


def floats(array: mx.array) -> list[float]:
    """A float array of shape (n,) as a list."""
    return cast("list[float]", array.tolist())


def integer(array: mx.array) -> int:
    """The one number of an integer array."""
    return cast("int", array.item())


def number(array: mx.array) -> float:
    """The one number of a float array."""
    return cast("float", array.item())
