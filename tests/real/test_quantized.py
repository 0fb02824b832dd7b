"""Checkpoints that are quantised already load as they are."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten

from asr.pipeline.engine import EngineSettings, ModelFolder, Row
from asr.pipeline.shelf import load_whisper
from asr.pipeline.types import Decoding
from asr.pipeline.whisper import WhisperEngine

if TYPE_CHECKING:
    from pathlib import Path

    from asr.pipeline.types import Window

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time


def quantized(tiny: ModelFolder, folder: Path, *, bits: int) -> ModelFolder:
    """The model as mlx-examples' ``convert.py -q`` writes it."""
    model = load_whisper(tiny, "float32")
    nn.quantize(
        model,
        group_size=64,
        bits=bits,
        class_predicate=lambda _, module: isinstance(module, nn.Linear | nn.Embedding),
    )
    shutil.copytree(tiny.path, folder)
    for file in (*folder.glob("*.safetensors"), *folder.glob("*.npz")):
        file.unlink()
    leaves: Any = tree_flatten(model.parameters())
    mx.save_safetensors(str(folder / "weights.safetensors"), dict(leaves))
    config = json.loads((folder / "config.json").read_text())
    config["quantization"] = {"group_size": 64, "bits": bits}
    (folder / "config.json").write_text(json.dumps(config))
    return ModelFolder(f"tiny.en-{bits}bit", folder)


def test_a_quantized_checkpoint_stays_small_and_hears_the_words(
    tiny: ModelFolder, windows: dict[str, Window], tmp_path: Path
) -> None:
    model = quantized(tiny, tmp_path / "model", bits=4)
    engine = WhisperEngine(EngineSettings(compute_type="float32"))
    engine.load(tiny)
    engine.admit(model, [Row(windows["jfk"], Decoding("en", temperatures=(0.0,)))])
    while not (finished := engine.advance().finished):
        pass
    text = "".join(piece.text for piece in finished[0][1].pieces).lower()
    assert "what your country can do for you" in text
    whole, small = (loaded.bytes for loaded in engine.loaded())
    assert small < 0.18 * whole
