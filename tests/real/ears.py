"""Every sound is encoded once by every model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx

from asr.pipeline.mel import log_mel
from asr.pipeline.network import encode
from tests.real.rows import Ask

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.pipeline.shelf import Shelved
    from asr.pipeline.types import Decoding, Window


class Ears:
    """The sounds by name, and the features of those that were heard already."""

    def __init__(self, windows: Mapping[str, Window]) -> None:
        self._windows = windows
        self._heard: dict[tuple[int, str], mx.array] = {}

    def ask(
        self, shelved: Shelved, sound: str, decoding: Decoding, *, name: str | None = None
    ) -> Ask:
        """A sound, ready to be decoded by a model."""
        key = (id(shelved.model), sound)
        if key not in self._heard:
            mel = log_mel([self._windows[sound]], shelved.model.dims.n_mels)
            self._heard[key] = encode(shelved.model, mel.astype(shelved.dtype))[0]
            mx.eval(self._heard[key])
        return Ask(name or sound, self._windows[sound], self._heard[key], decoding)
