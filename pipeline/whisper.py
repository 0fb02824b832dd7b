"""Whisper on MLX: the engine behind the GPU actor. Only one thread ever calls it.

Models stay on a shelf; one batch of rows, all on the same model, is decoded at a time, and rows of
any number of requests come and go between its token steps.
"""

from __future__ import annotations

from collections import OrderedDict
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import mlx.core as mx

from asr.pipeline.batch import CPU_HABITS, Batch, Habits
from asr.pipeline.device import memory_errors, pick_compute_type, pick_device, usable_memory
from asr.pipeline.engine import (
    EngineSettings,
    LoadedModel,
    Memory,
    ModelFolder,
    Row,
    Said,
    SoFar,
)
from asr.pipeline.host import floats, ints
from asr.pipeline.mel import log_mel
from asr.pipeline.network import encode
from asr.pipeline.setting import MEGABYTE
from asr.pipeline.shelf import Shelf, Shelved
from asr.pipeline.types import Detected, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asr.pipeline.types import Decoding

NOTHING_SAID = Said(0, ())


class Capacity(NamedTuple):
    """How much a device does at once: rows in a batch, windows encoded and joining together."""

    rows_max: int
    together: int
    habits: Habits


# A CPU gains nothing from encoding windows together, and little from more rows than these: they
# share the reading of the decoder's weights. A GPU needs as many as memory has room for.
CPU_CAPACITY = Capacity(rows_max=8, together=1, habits=CPU_HABITS)
GPU_CAPACITY = Capacity(
    rows_max=128, together=16, habits=Habits(ahead=1, words_together=8, linger=8)
)

# Bytes of freed arrays that MLX keeps for reuse: a GPU stands still while memory is allocated, so
# there it is a share of what may be used; on a CPU others need it more.
CPU_CACHE = 128 << 20
GPU_CACHE_SHARE = 8

FEATURES_MAX = 64  # windows remembered: large-v3 has 4 MB of features for each in half precision


class WhisperEngine:
    """Implements ``pipeline.engine.Engine``."""

    def __init__(self, settings: EngineSettings) -> None:
        device = pick_device(settings.device)
        mx.set_default_device(mx.cpu if device == "cpu" else mx.gpu)
        if device == "cpu":  # MLX would compile into a folder of everybody's, and load from there
            mx.disable_compile()
        self._capacity = CPU_CAPACITY if device == "cpu" else GPU_CAPACITY
        self._rows_max = settings.batch_size or self._capacity.rows_max
        given = settings.memory_max_mb
        self._memory_max = given * MEGABYTE if given else usable_memory(device)
        mx.set_cache_limit(CPU_CACHE if device == "cpu" else self._memory_max // GPU_CACHE_SHARE)
        self._workspace = 0  # bytes: what a join has needed at most beside what it left
        weights_max = min(settings.models_max_mb * MEGABYTE, self._memory_max // 2)
        self._shelf = Shelf(pick_compute_type(settings.compute_type, device), weights_max)
        self._features = Features(min(self._rows_max + 1, FEATURES_MAX))
        self._batch: Batch | None = None
        self._batch_model = ""
        self._peak = 0

    def load(self, model: ModelFolder) -> None:
        """Make the model resident."""
        with memory_errors():
            self._take(model)

    def unload(self, name: str) -> None:
        """Free a model's weights and everything computed with them, unless rows are on it."""
        if self._batch:
            if self._batch_model == name:
                return
        else:
            self._batch = None  # an empty one has weights all the same
        self._features.clear()
        self._shelf.drop(name)

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The resident models, least recently used first."""
        return self._shelf.loaded()

    def detect(self, model: ModelFolder, windows: Sequence[Window]) -> tuple[Detected, ...]:
        """The most probable language of each window, among those that the model knows."""
        with memory_errors():
            shelved = self._take(model)
            if not shelved.vocabulary.multilingual:
                return (Detected("en", 1.0),) * len(windows)
            features = self._encoded(model.name, shelved, windows)
            return _languages(shelved, features)

    @property
    def rows_max(self) -> int:
        """How many rows the batch may have."""
        return self._rows_max

    def check(self, model: ModelFolder, decoding: Decoding) -> None:
        """Raise InvalidRequest for what the model cannot do; loads it if need be."""
        with memory_errors():
            self._take(model).vocabulary.prompt(decoding)

    def admit(self, model: ModelFolder, rows: Sequence[Row]) -> int:
        """Encode windows and let as many of their rows join as memory has room for."""
        with memory_errors(), self._measured():
            shelved = self._take(model)
            batch = self._batch_on(model.name, shelved)
            fit = self._rows_that_fit(batch)
            joining = rows[: max(fit - len(batch), 0 if len(batch) else 1)]
            if joining:
                windows = [row.window for row in joining]
                features = self._encoded(model.name, shelved, windows)
                for i in range(0, len(joining), self._capacity.together):
                    part = slice(i, i + self._capacity.together)
                    batch.join(joining[part], features[part], slots_max=fit)
            return len(joining)

    def advance(self) -> Said:
        """One token step for every row."""
        with memory_errors():
            return self._batch.advance() if self._batch else NOTHING_SAID

    def growing(self, rows: Sequence[Row]) -> tuple[SoFar, ...]:
        """What rows in the batch have said so far."""
        return self._batch.growing(rows) if self._batch else ()

    def drop(self, rows: Sequence[Row]) -> None:
        """Take rows out whose requester has gone."""
        if self._batch:
            self._batch.drop(rows)

    def reset(self) -> None:
        """Forget the batch and all that was computed for it."""
        self._batch = None
        self._features.clear()
        mx.clear_cache()

    def memory(self) -> Memory:
        """The state of MLX's memory, in bytes."""
        self._peak = max(self._peak, mx.get_peak_memory())
        return Memory(mx.get_active_memory(), mx.get_cache_memory(), self._peak)

    def _take(self, model: ModelFolder) -> Shelved:
        """The model, loaded if need be; an empty batch must not keep another one from going."""
        if not self._batch and self._batch_model != model.name:
            self._batch = None
        return self._shelf.take(model)

    def _batch_on(self, name: str, shelved: Shelved) -> Batch:
        if self._batch is None or self._batch_model != name:
            self._batch = Batch(shelved.model, shelved.vocabulary, habits=self._capacity.habits)
            self._batch_model = name
        return self._batch

    def _rows_that_fit(self, batch: Batch) -> int:
        """How many rows the batch may have, by the bytes that all else takes now."""
        others = mx.get_active_memory() - batch.bytes
        free = self._memory_max - others - self._workspace
        return min(self._rows_max, max(0, free // batch.row_bytes_max))

    @contextmanager
    def _measured(self) -> Iterator[None]:
        """Learn how much more memory a join takes on its way than after it."""
        self._peak = max(self._peak, mx.get_peak_memory())
        mx.reset_peak_memory()
        yield
        self._workspace = max(self._workspace, mx.get_peak_memory() - mx.get_active_memory())

    def _encoded(self, name: str, shelved: Shelved, windows: Sequence[Window]) -> mx.array:
        """Audio features of windows, (B, 1500, state): remembered ones are not computed again."""
        found = self._features.recall(name, windows)
        new = [window for window in dict.fromkeys(windows) if window not in found]
        for i in range(0, len(new), self._capacity.together):
            part = new[i : i + self._capacity.together]
            mel = log_mel(part, shelved.model.dims.n_mels)
            # Each in a buffer of its own: a slice that is remembered would keep all the others.
            encoded = [each * 1 for each in encode(shelved.model, mel.astype(shelved.dtype))]
            mx.eval(encoded)
            for window, features in zip(part, encoded, strict=True):
                found[window] = features
                self._features.remember(name, window, features)
        return mx.stack([found[window] for window in windows])


class Features:
    """Audio features of recent windows, for when a language was detected or a row tries again."""

    def __init__(self, windows_max: int) -> None:
        self._windows_max = windows_max
        self._kept: OrderedDict[tuple[str, Window], mx.array] = OrderedDict()

    def recall(self, model: str, windows: Iterable[Window]) -> dict[Window, mx.array]:
        """The features of those windows that are remembered."""
        return {
            window: features
            for window in windows
            if (features := self._kept.get((model, window))) is not None
        }

    def remember(self, model: str, window: Window, features: mx.array) -> None:
        """Keep the features (1500, state); the oldest leave past the bound."""
        self._kept[model, window] = features
        while len(self._kept) > self._windows_max:
            self._kept.popitem(last=False)

    def clear(self) -> None:
        self._kept.clear()


def _languages(shelved: Shelved, features: mx.array) -> tuple[Detected, ...]:
    """The language of each of some features, (B, 1500, state)."""
    tokenizer = shelved.vocabulary.tokenizer
    start = mx.full((features.shape[0], 1), tokenizer.sot, mx.int32)
    logits = shelved.model.logits(start, features)[:, 0]
    among = logits[:, mx.array(tokenizer.all_language_tokens)]
    probabilities = mx.softmax(among.astype(mx.float32), axis=-1)
    codes = tokenizer.all_language_codes
    best, sure = mx.argmax(probabilities, axis=-1), probabilities.max(axis=-1)
    return tuple(
        Detected(codes[i], probability)
        for i, probability in zip(ints(best), floats(sure), strict=True)
    )
