"""From Whisper weights as CTranslate2 stores them to an MLX folder; the numbers stay the same.

The file (version 6, little endian) is: version, name of the specification, its revision, a count of
variables, each as name, rank, dimensions, type, byte count and data, and last a list of aliases.
It is mapped, not read, so that a conversion costs little memory whatever the size of the model.
"""

import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[Any]

VERSION = 6

# ctranslate2::DataType, by its number. Quantized Whisper files are not read.
TYPES = {0: "<f4", 1: "<i1", 2: "<i2", 3: "<i4", 4: "<f2"}

PLAIN = {
    "encoder/conv1": "encoder.conv1",
    "encoder/conv2": "encoder.conv2",
    "encoder/layer_norm": "encoder.ln_post",
    "decoder/embeddings": "decoder.token_embedding",
    "decoder/layer_norm": "decoder.ln",
}
BLOCK = {
    "self_attention/layer_norm": "attn_ln",
    "self_attention/linear_1": "attn.out",
    "attention/layer_norm": "cross_attn_ln",
    "attention/linear_0": "cross_attn.query",
    "attention/linear_2": "cross_attn.out",
    "ffn/layer_norm": "mlp_ln",
    "ffn/linear_0": "mlp1",
    "ffn/linear_1": "mlp2",
}
FUSED = {
    "self_attention/linear_0": ("attn.query", "attn.key", "attn.value"),
    "attention/linear_1": ("cross_attn.key", "cross_attn.value"),
}
LEAVES = {"weight": "weight", "bias": "bias", "gamma": "weight", "beta": "bias"}


def convert(
    parts: Sequence[Path], target: Path, *, alignment_heads: Sequence[Sequence[int]]
) -> None:
    """Write the model that lies in ``parts`` (one file, or one that was cut up) as an MLX folder.

    ``alignment_heads`` are pairs of decoder layer and head. Raises ValueError if the file is not a
    float Whisper model of a known version.
    """
    from safetensors.numpy import save_file

    variables = read_variables(parts)
    tensors = {name: np.ascontiguousarray(value) for name, value in _tensors(variables)}
    # mlx_whisper's loader takes every key of the config for a dimension, so the heads are a
    # tensor, as in the checkpoints of mlx-community.
    tensors["alignment_heads"] = np.asarray(alignment_heads, np.int32)
    (target / "config.json").write_text(json.dumps(_config(variables), indent=2))
    weights = target / "weights.safetensors"
    save_file(tensors, weights, metadata={"format": "mlx"})
    weights.chmod(0o644)  # the library makes it readable to one user only, the cache may be shared


def read_variables(parts: Sequence[Path]) -> dict[str, Array]:
    """Every variable of a CTranslate2 Whisper file by name, as views of the mapped file."""
    reader = _Reader(parts)
    version, name = reader.number("I"), reader.text()
    if version != VERSION or name != "WhisperSpec":
        raise ValueError(f"not a Whisper model of CTranslate2 version {VERSION}")
    reader.number("I")  # the specification's revision: 3, and no other has been seen
    variables = dict(reader.variable() for _ in range(reader.number("I")))
    for _ in range(reader.number("I")):  # aliases: the output projection is the embedding
        reader.text()
        reader.text()
    if not reader.done:
        raise ValueError("bytes are left over after the last variable")
    return variables


class _Reader:
    """A cursor over one file that was cut into several, mapped and read as if it were whole."""

    def __init__(self, parts: Sequence[Path]) -> None:
        self._parts = [np.memmap(path, np.uint8, mode="r") for path in parts]
        self._at = 0

    @property
    def done(self) -> bool:
        return not self._parts

    def variable(self) -> tuple[str, Array]:
        name = self.text()
        shape = tuple(self.number("I") for _ in range(self.number("B")))
        kind = self.number("B")
        if kind not in TYPES:
            raise ValueError(f"{name} has the unknown type {kind}")
        return name, self.take(self.number("I")).view(TYPES[kind]).reshape(shape)

    def text(self) -> str:
        return self.take(self.number("H")).tobytes().rstrip(b"\0").decode()

    def number(self, kind: str) -> int:
        (value,) = struct.unpack(f"<{kind}", self.take(struct.calcsize(kind)).tobytes())
        return int(value)

    def take(self, count: int) -> NDArray[np.uint8]:
        """The next bytes: a view, or a copy where they lie across a cut."""
        pieces = []
        while count:
            if not self._parts:
                raise ValueError("the file ends too early")
            piece = np.asarray(self._parts[0][self._at : self._at + count])
            pieces.append(piece)
            count -= len(piece)
            self._at += len(piece)
            if self._at == len(self._parts[0]):
                del self._parts[0]
                self._at = 0
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces or [_NOTHING])


_NOTHING = np.empty(0, np.uint8)


def _tensors(variables: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
    """Every variable that holds weights, under its MLX name."""
    for name, value in variables.items():
        if value.ndim == 0 or name == "encoder/position_encodings/encodings":
            continue  # settings; and sinusoids, which MLX computes
        if name == "decoder/position_encodings/encodings":
            yield "decoder.positional_embedding", value
            continue
        try:
            yield from _renamed(name, value)
        except KeyError:
            raise ValueError(f"{name} is not a weight of Whisper") from None


def _renamed(name: str, value: Array) -> Iterator[tuple[str, Array]]:
    module, _, last = name.rpartition("/")
    leaf = LEAVES[last]
    if value.ndim == 3:
        yield f"{PLAIN[module]}.{leaf}", value.transpose(0, 2, 1)  # (out, in, k) -> (out, k, in)
        return
    if module in PLAIN:
        yield f"{PLAIN[module]}.{leaf}", value
        return
    side, layer, inner = module.split("/", 2)
    block = f"{side}.blocks.{int(layer.removeprefix('layer_'))}"
    targets = FUSED.get(inner) or (BLOCK[inner],)
    for target, piece in zip(targets, np.split(value, len(targets)), strict=True):
        # Whisper's keys have no bias; the fused array holds zeros for it.
        if not (leaf == "bias" and target.endswith("key")):
            yield f"{block}.{target}.{leaf}", piece


def _config(variables: Mapping[str, Array]) -> dict[str, str | int]:
    """The dimensions, read off the shapes, as mlx_whisper's ModelDimensions names them."""
    audio_ctx, audio_state = variables["encoder/position_encodings/encodings"].shape
    text_ctx, text_state = variables["decoder/position_encodings/encodings"].shape
    return {
        "model_type": "whisper",
        "n_mels": variables["encoder/conv1/weight"].shape[1],
        "n_audio_ctx": audio_ctx,
        "n_audio_state": audio_state,
        "n_audio_head": int(variables["encoder/num_heads"]),
        "n_audio_layer": _layers(variables, "encoder"),
        "n_vocab": variables["decoder/embeddings/weight"].shape[0],
        "n_text_ctx": text_ctx,
        "n_text_state": text_state,
        "n_text_head": int(variables["decoder/num_heads"]),
        "n_text_layer": _layers(variables, "decoder"),
    }


def _layers(variables: Mapping[str, Array], side: str) -> int:
    return sum(
        name.startswith(side) and name.endswith("/ffn/linear_0/weight") for name in variables
    )
