"""Whisper on MLX: the engine behind the GPU actor. Only one thread ever calls it.

Models stay on a shelf; one batch of rows, all on the same model, is decoded at a time, and rows of
any number of requests come and go between its token steps.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

import mlx.core as mx
import numpy as np
from mlx_whisper.audio import N_SAMPLES, log_mel_spectrogram

from asr.pipeline.batch import Batch
from asr.pipeline.device import pick_compute_type, pick_device
from asr.pipeline.engine import EngineSettings, LoadedModel, Memory, ModelFolder, Row
from asr.pipeline.host import integer, number
from asr.pipeline.network import encode
from asr.pipeline.shelf import Shelf, Shelved
from asr.pipeline.types import Detected, Hypothesis, Window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asr.pipeline.types import Decoding


class Pace(NamedTuple):
    """Rows in a batch, windows encoded at once, token steps before the host looks again, and the
    bytes of freed arrays that MLX may keep for reuse."""

    rows_max: int
    encode_max: int
    steps: int
    cache_bytes: int


# A CPU gains nothing from encoding windows together, and a step past a row's end costs it
# milliseconds; its time goes into the encoder, so that few rows are enough. A GPU is launch-bound:
# it runs ahead, and a wasted step costs next to nothing.
CPU_PACE = Pace(rows_max=2, encode_max=1, steps=1, cache_bytes=128 << 20)
GPU_PACE = Pace(rows_max=32, encode_max=16, steps=8, cache_bytes=2 << 30)


class WhisperEngine:
    """Implements ``pipeline.engine.Engine``."""

    def __init__(self, settings: EngineSettings) -> None:
        device = pick_device(settings.device)
        mx.set_default_device(mx.cpu if device == "cpu" else mx.gpu)
        pace = CPU_PACE if device == "cpu" else GPU_PACE
        mx.set_cache_limit(pace.cache_bytes)
        self._rows_max = settings.batch_size or pace.rows_max
        self._pace = pace
        self._shelf = Shelf(
            pick_compute_type(settings.compute_type, device), settings.models_max_mb * 1_000_000
        )
        self._features = Features(self._rows_max + 1)
        self._batch: Batch | None = None
        self._batch_model = ""

    def load(self, model: ModelFolder) -> None:
        """Make the model resident."""
        self._shelf.take(model)

    def unload(self, name: str) -> None:
        """Free a model's weights and everything computed with them, unless rows are on it."""
        if self._batch and self._batch_model == name:
            return
        self._batch = None
        self._features.clear()
        self._shelf.drop(name)

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The resident models, least recently used first."""
        return self._shelf.loaded()

    def detect(self, model: ModelFolder, window: Window) -> Detected:
        """The most probable language of a window, among those that the model knows."""
        shelved = self._shelf.take(model)
        if not shelved.vocabulary.multilingual:
            return Detected("en", 1.0)
        features = self._encoded(model.name, shelved, [window])
        tokenizer = shelved.vocabulary.tokenizer
        logits = shelved.model.logits(mx.array([[tokenizer.sot]]), features)[0, 0]
        among = mx.array(tokenizer.all_language_tokens)
        probabilities = mx.softmax(logits[among].astype(mx.float32))
        best = integer(mx.argmax(probabilities))
        return Detected(tokenizer.all_language_codes[best], number(probabilities[best]))

    @property
    def rows_max(self) -> int:
        """How many rows the batch may have."""
        return self._rows_max

    def check(self, model: ModelFolder, decoding: Decoding) -> None:
        """Raise InvalidRequest for what the model cannot do; loads it if need be."""
        self._shelf.take(model).vocabulary.prompt(decoding)

    def admit(self, model: ModelFolder, rows: Sequence[Row]) -> None:
        """Encode the rows' windows and let them join the batch."""
        shelved = self._shelf.take(model)
        if not self._batch or self._batch_model != model.name:
            self._batch, self._batch_model = Batch(shelved.model, shelved.vocabulary), model.name
        features = self._encoded(model.name, shelved, [row.window for row in rows])
        self._batch.join(rows, features)

    def advance(self) -> tuple[tuple[Row, Hypothesis], ...]:
        """A few token steps; the rows that reached their end, with what they said."""
        return self._batch.advance(self._pace.steps) if self._batch else ()

    def drop(self, rows: Sequence[Row]) -> None:
        """Take rows out whose requester has gone."""
        if self._batch:
            self._batch.drop(rows)

    def memory(self) -> Memory:
        """The state of MLX's memory, in bytes."""
        return Memory(mx.get_active_memory(), mx.get_cache_memory(), mx.get_peak_memory())

    def _encoded(self, name: str, shelved: Shelved, windows: Sequence[Window]) -> mx.array:
        """Audio features of windows, (B, 1500, state): remembered ones are not computed again."""
        found = self._features.recall(name, windows)
        new = [window for window in dict.fromkeys(windows) if window not in found]
        for i in range(0, len(new), self._pace.encode_max):
            part = new[i : i + self._pace.encode_max]
            mel = mx.stack([log_mel(window, shelved.model.dims.n_mels) for window in part])
            encoded = encode(shelved.model, mel.astype(shelved.dtype))
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


def log_mel(window: Window, mels: int) -> mx.array:
    """The log-mel spectrogram of a window, padded with silence to 30 s: (3000, mels)."""
    samples = window.audio.read(window.start_s, window.end_s)[:N_SAMPLES]
    return log_mel_spectrogram(np.pad(samples, (0, N_SAMPLES - len(samples))), n_mels=mels)
