"""The memory of a batch: keys and values of its rows, each in a slot of its own, written in place.

A slot is one place in the first axis of every array. There are as many as a power of two, or as
the batch may have rows, so that few shapes occur; slots of rows that have left wait for others.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import mlx.core as mx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mlx_whisper.whisper import Whisper

    from asr.pipeline.network import KeysValues

BLOCK = 64  # columns of keys and values are added and dropped by so many


class Slots:
    """Keys and values for ``size`` rows: of the audio, and of the text in ``columns`` columns."""

    def __init__(self, model: Whisper) -> None:
        self.size = 0
        self.columns = BLOCK
        self.cross: list[KeysValues] = []  # a layer: of the audio, (S, H, 1500, D)
        self.cache: list[KeysValues] = []  # a layer: of the text, (S, H, C, D)
        dims = model.dims
        self._layers = dims.n_text_layer
        self._heads = dims.n_text_head
        self._depth = dims.n_text_state // dims.n_text_head
        self._frames = dims.n_audio_ctx
        self._dtype = model.decoder.positional_embedding.dtype

    @property
    def bytes(self) -> int:
        """What all slots take."""
        return self.size * self.row_bytes(self.columns)

    def row_bytes(self, columns: int) -> int:
        """What a row takes with so many columns of text."""
        width = self._frames + columns
        numbers: int = 2 * self._layers * self._heads * width * self._depth
        itemsize: int = self._dtype.size
        return numbers * itemsize

    def resize(self, size: int, kept: Sequence[int]) -> None:
        """Have ``size`` slots: the rows of the ``kept`` ones come first, in that order.

        A layer at a time, so that no more than that is there twice.
        """
        if not size:
            self.size, self.columns, self.cross, self.cache = 0, BLOCK, [], []
            return
        if not self.size:
            self.cross = [self._pair(self._frames, size) for _ in range(self._layers)]
            self.cache = [self._pair(self.columns, size) for _ in range(self._layers)]
        else:
            rows = None if [*kept] == [*range(self.size)] else mx.array([*kept])
            for pairs in (self.cross, self.cache):
                for layer in range(self._layers):
                    keys, values = pairs[layer]
                    pairs[layer] = _resized(keys, rows, size), _resized(values, rows, size)
                    del keys, values
                    mx.eval(pairs[layer])
        self.size = size

    def write(
        self, slots: Sequence[int], cross: list[KeysValues], cache: list[KeysValues], *, end: int
    ) -> None:
        """Put rows into slots: what they hear, and what was said before the column ``end``.

        The lists are used up, a layer at a time. Nothing else may hold the slots' arrays: then
        they are written where they are.
        """
        runs = list(_runs(slots))
        for layer in range(self._layers):
            _write(self.cross[layer], cross.pop(0), runs, end=self._frames)
            _write(self.cache[layer], cache.pop(0), runs, end=end)

    def shift(self, by: int, *, columns: int) -> None:
        """Move all text so many columns to the right (to the left: less than 0), in ``columns``."""

        def move(array: mx.array) -> mx.array:
            array = array[:, :, max(0, -by) :][:, :, : columns - max(0, by)]
            left = max(0, by)
            return mx.pad(array, [(0, 0), (0, 0), (left, columns - left - array.shape[2]), (0, 0)])

        self.cache = [(move(keys), move(values)) for keys, values in self.cache]
        self.columns = columns

    def _pair(self, width: int, size: int) -> KeysValues:
        shape = (size, self._heads, width, self._depth)
        return mx.zeros(shape, self._dtype), mx.zeros(shape, self._dtype)


def _resized(array: mx.array, rows: mx.array | None, size: int) -> mx.array:
    if rows is not None:
        array = array[rows[:size]]
    more = size - array.shape[0]
    return mx.pad(array, [(0, more), (0, 0), (0, 0), (0, 0)]) if more > 0 else array


def _write(
    whole: KeysValues, rows: KeysValues, runs: Sequence[tuple[slice, slice]], *, end: int
) -> None:
    """Write rows into the whole, where their columns end with ``end``."""
    for array, new in zip(whole, rows, strict=True):
        for into, of in runs:
            array[into, :, end - new.shape[2] : end] = new[of]


def _runs(slots: Sequence[int]) -> Iterator[tuple[slice, slice]]:
    """Neighbouring slots of neighbouring rows: a copy each; (slots, rows)."""
    for _, run in groupby(enumerate(slots), key=lambda pair: pair[1] - pair[0]):
        rows = [row for row, _ in run]
        first, count = rows[0], len(rows)
        yield slice(slots[first], slots[first] + count), slice(first, first + count)
