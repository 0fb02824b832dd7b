"""A checkpoint is a whole model, and the one that its config describes, or none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import mlx.nn as nn
import pytest
from mlx.utils import tree_flatten
from mlx_whisper.whisper import ModelDimensions, Whisper

from asr.pipeline.engine import ModelFolder
from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.shelf import load_whisper

if TYPE_CHECKING:
    from pathlib import Path

    from asr.pipeline.device import ComputeType

SMALL = {
    **{"n_mels": 80, "n_audio_ctx": 1500, "n_audio_state": 64, "n_audio_head": 1},
    **{"n_audio_layer": 2, "n_vocab": 128, "n_text_ctx": 16, "n_text_state": 64},
    **{"n_text_head": 1, "n_text_layer": 2},
}
FOUR_BITS: dict[str, Any] = {"group_size": 64, "bits": 4}

Weights = dict[str, mx.array]


def small() -> Whisper:
    return Whisper(ModelDimensions(**SMALL), mx.float32)


def leaves(model: Whisper) -> Weights:
    found: Any = tree_flatten(model.parameters())
    return dict(found)


def written(
    folder: Path, weights: Weights, name: str = "weights.safetensors", **config: Any
) -> ModelFolder:
    (folder / "config.json").write_text(json.dumps(SMALL | config))
    if name.endswith(".npz"):
        mx.savez(str(folder / name), **weights)
    else:
        mx.save_safetensors(str(folder / name), weights)
    return ModelFolder("own", folder)


@pytest.mark.parametrize("compute_type", ["float32", "int8"])
@pytest.mark.parametrize("name", ["weights.safetensors", "weights.npz", "model.safetensors"])
def test_a_whole_checkpoint_loads_in_every_form(
    tmp_path: Path, name: str, compute_type: ComputeType
) -> None:
    weights = leaves(small())
    half = {key: array.astype(mx.float16) for key, array in weights.items()}
    half["alignment_heads"] = weights["alignment_heads"]
    loaded = load_whisper(written(tmp_path, half, name), compute_type)
    assert leaves(loaded)["decoder.ln.weight"].tolist() == half["decoder.ln.weight"].tolist()


@pytest.mark.parametrize("embedding", [True, False], ids=["all", "without the embedding"])
def test_a_quantized_checkpoint_loads(tmp_path: Path, embedding: bool) -> None:
    model = small()
    kinds = nn.Linear | nn.Embedding if embedding else nn.Linear
    nn.quantize(model, **FOUR_BITS, class_predicate=lambda _, module: isinstance(module, kinds))
    folder = written(tmp_path, leaves(model), quantization=FOUR_BITS)
    assert leaves(load_whisper(folder, "float32")).keys() == leaves(model).keys()


@pytest.mark.parametrize("heads", [None, [[1, 0]]])
def test_a_checkpoint_tells_times_by_its_own_heads_or_by_those_of_mlx(
    tmp_path: Path, heads: list[list[int]] | None
) -> None:
    weights = leaves(small())
    default = weights.pop("alignment_heads").tolist()
    if heads:
        weights["alignment_heads"] = mx.array(heads)
    loaded = load_whisper(written(tmp_path, weights), "float32")
    assert loaded.alignment_heads.tolist() == (heads or default)


@pytest.mark.parametrize(
    "config",
    [
        {"n_mels": 128},
        {"n_text_layer": 3},
        {"n_text_ctx": 32},
        {"n_vocab": 256},
        {"quantization": FOUR_BITS},
    ],
    ids=str,
)
def test_weights_that_are_not_what_the_config_describes_are_refused(
    tmp_path: Path, config: dict[str, Any]
) -> None:
    weights = leaves(small())
    if "quantization" in config:
        weights["encoder.blocks.0.mlp1.scales"] = mx.zeros((256, 1))  # and no biases
    with pytest.raises(ModelUnavailable, match="'own' cannot be read from its files"):
        load_whisper(written(tmp_path, weights, **config), "float32")


def test_weights_that_lack_a_layer_are_refused(tmp_path: Path) -> None:
    weights = {name: array for name, array in leaves(small()).items() if "blocks.1" not in name}
    with pytest.raises(ModelUnavailable, match="'own' cannot be read from its files") as refused:
        load_whisper(written(tmp_path, weights), "float32")
    assert "blocks.1" in str(refused.value.__cause__)
