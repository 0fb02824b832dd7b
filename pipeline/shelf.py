"""The models in memory: loaded once, kept by use, and really freed.

mlx_whisper's own holder keeps exactly one model, reads it again when two alternate, and never lets
go of it. Here the least recently used ones leave when the next would pass the bound on bytes.
"""

from __future__ import annotations

import gc
import json
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_flatten, tree_map, tree_unflatten
from mlx_whisper.whisper import ModelDimensions, Whisper

from asr.pipeline.checkpoint import find_weights
from asr.pipeline.device import memory_errors
from asr.pipeline.engine import LoadedModel, ModelFolder
from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.pipeline.device import ComputeType

DTYPES = {
    "float16": mx.float16,
    "bfloat16": mx.bfloat16,
    "float32": mx.float32,
    "int8": mx.float16,  # what is not quantised, and the activations
}


@dataclass(frozen=True, slots=True)
class Shelved:
    """A model ready for use."""

    model: Whisper
    vocabulary: Vocabulary
    dtype: mx.Dtype
    bytes: int


class Shelf:
    """At most ``bytes_max`` of weights, except that the model asked for last is always there."""

    def __init__(self, compute_type: ComputeType, bytes_max: int) -> None:
        self._compute_type: ComputeType = compute_type
        self._bytes_max = bytes_max
        self._models: OrderedDict[str, Shelved] = OrderedDict()

    def take(self, folder: ModelFolder) -> Shelved:
        """The model, loaded if it is not here. ModelUnavailable for files that cannot be read."""
        if folder.name not in self._models:
            self._make_room(_file_bytes(folder))  # before it is there as well
            model = load_whisper(folder, self._compute_type)
            size = sum(array.nbytes for array in _arrays(model))
            shelved = Shelved(model, Vocabulary.of(model), precision(self._compute_type), size)
            self._make_room(size)
            self._models[folder.name] = shelved
        self._models.move_to_end(folder.name)
        return self._models[folder.name]

    def drop(self, name: str) -> None:
        """Free the weights of a model; nothing happens if it is not here."""
        self._models.pop(name, None)
        gc.collect()  # modules refer to each other: without this the arrays would linger
        mx.clear_cache()

    def loaded(self) -> tuple[LoadedModel, ...]:
        """The models here, least recently used first."""
        return tuple(LoadedModel(name, kept.bytes) for name, kept in self._models.items())

    def _make_room(self, size: int) -> None:
        while self._models and self._bytes() + size > self._bytes_max:
            self.drop(next(iter(self._models)))

    def _bytes(self) -> int:
        return sum(kept.bytes for kept in self._models.values())


def _file_bytes(folder: ModelFolder) -> int:
    """About what its weights will take."""
    file = find_weights(folder.path)
    return file.stat().st_size if file else 0


def precision(compute_type: ComputeType) -> mx.Dtype:
    """The type of activations, and of what is not quantised.

    A CPU emulates half precision: quantised products in float16 take 40 times as long as in
    float32.
    """
    on_cpu = mx.default_device().type == mx.cpu
    return mx.float32 if on_cpu and compute_type == "int8" else DTYPES[compute_type]


def load_whisper(folder: ModelFolder, compute_type: ComputeType) -> Whisper:
    """A Whisper module with the folder's weights, in the precision asked for.

    Raises ModelUnavailable, or NotEnoughMemory.

    Checkpoints that are quantised already stay as they are; ``int8`` quantises the others.
    """
    try:
        with memory_errors():
            return _load(folder, compute_type)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise ModelUnavailable(
            f"The model {folder.name!r} cannot be read from its files"
        ) from error


def _load(folder: ModelFolder, compute_type: ComputeType) -> Whisper:
    config = json.loads((folder.path / "config.json").read_text())
    config.pop("model_type", None)
    quantization = config.pop("quantization", None)
    file = find_weights(folder.path)
    if file is None:
        raise FileNotFoundError(folder.path)
    weights: Any = mx.load(str(file))
    dtype = precision(compute_type)
    model = Whisper(ModelDimensions(**config), dtype)
    if quantization is not None:
        nn.quantize(
            model, **quantization, class_predicate=lambda path, _: f"{path}.scales" in weights
        )
    _check(weights, model)
    model.update(tree_unflatten(list(weights.items())))
    model.update(tree_map(lambda array: _cast(array, dtype), model.parameters()))
    if quantization is None and compute_type == "int8":
        nn.quantize(model.encoder, group_size=64, bits=8, class_predicate=_is_large)
        nn.quantize(model.decoder, group_size=64, bits=8, class_predicate=_is_large)
    model.encoder._positional_embedding = _cast(model.encoder._positional_embedding, dtype)
    mx.eval(model.parameters(), model.encoder._positional_embedding)
    return model


def _check(weights: Mapping[str, mx.array], model: Whisper) -> None:
    """ValueError unless every weight of the model is there, in its shape.

    MLX asks for neither: what is missing would stay at random, and what fits nowhere would break
    the engine at the first window. The heads that tell when words are said are as many as a
    checkpoint says, or those that MLX takes.
    """
    leaves: Any = tree_flatten(model.parameters())
    for name, array in leaves:
        if name != "alignment_heads" and (
            name not in weights or weights[name].shape != array.shape
        ):
            raise ValueError(f"{name} is missing, or not of the shape {array.shape}")


def _is_large(_: str, module: nn.Module) -> bool:
    return isinstance(module, nn.Linear | nn.Embedding)


def _cast(array: mx.array, dtype: mx.Dtype) -> mx.array:
    return array.astype(dtype) if mx.issubdtype(array.dtype, mx.floating) else array


def _arrays(model: Whisper) -> list[mx.array]:
    leaves: Any = tree_flatten(model.parameters())
    return [array for _, array in leaves]
