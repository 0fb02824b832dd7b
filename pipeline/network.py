"""Whisper's forward pass over the modules of ``mlx_whisper``, for many windows at once.

The weights and layers are mlx_whisper's; what differs is how they are run: attention is fused,
cross-attention keys and values are computed once a window, and each row of a decoding step has a
position of its own. Architecture: Radford et al., "Robust Speech Recognition via Large-Scale Weak
Supervision", 2022. Letters in shapes: B rows, H heads, D size of a head, C columns, V vocabulary.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import mlx.core as mx
import mlx.nn as nn

from asr.pipeline import hostmath

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mlx_whisper.whisper import Whisper

KeysValues = tuple[mx.array, mx.array]

MANY_ROWS = 128  # from here on a step of a GPU is bound by memory, and no longer by its host


class Kernels(NamedTuple):
    """How the encoder's nonlinear parts are computed."""

    gelu: Callable[[mx.array], mx.array]
    attend: Callable[[mx.array, mx.array, mx.array], mx.array]


def fused(
    queries: mx.array, keys: mx.array, values: mx.array, bias: mx.array | None = None
) -> mx.array:
    """Attention as one operation; all arrays are (B, H, T, D)."""
    scale = queries.shape[-1] ** -0.5
    return mx.fast.scaled_dot_product_attention(queries, keys, values, scale=scale, mask=bias)


DEVICE = Kernels(nn.gelu, fused)
HOST = Kernels(hostmath.gelu, hostmath.attend)


def on_host(x: mx.array) -> bool:
    """Is this computed by a CPU, in the precision that numpy is fast in?"""
    return mx.default_device().type == mx.cpu and x.dtype == mx.float32


def encode(model: Whisper, mel: mx.array) -> mx.array:
    """Audio features of log-mel windows: (B, 3000, mels) -> (B, 1500, state)."""
    encoder = model.encoder
    kernels = HOST if on_host(mel) else DEVICE
    x = kernels.gelu(encoder.conv1(mel))
    x = kernels.gelu(encoder.conv2(x)) + encoder._positional_embedding
    for block in encoder.blocks:
        y, attention = block.attn_ln(x), block.attn
        queries, keys, values = (
            _heads(attention, part(y)) for part in (attention.query, attention.key, attention.value)
        )
        x = x + attention.out(_joined(kernels.attend(queries, keys, values)))
        x = x + block.mlp2(kernels.gelu(block.mlp1(block.mlp_ln(x))))
    return encoder.ln_post(x)


def cross_keys_values(model: Whisper, features: mx.array) -> list[KeysValues]:
    """What every decoder layer attends to in the audio: a pair of (B, H, 1500, D) a layer.

    These are views, good for one reading: whoever reads them at every token keeps a copy that lies
    in memory as it is read.
    """
    return [
        (
            _heads(block.cross_attn, block.cross_attn.key(features)),
            _heads(block.cross_attn, block.cross_attn.value(features)),
        )
        for block in _blocks(model)
    ]


def prefill(
    model: Whisper, tokens: mx.array, lengths: mx.array, cross: Sequence[KeysValues]
) -> tuple[mx.array, list[KeysValues]]:
    """Run prompts of different lengths, padded on the left: what logits are made of, (B, P, state),
    and the prompts' keys and values, (B, H, P, D) a layer.

    ``tokens`` (B, P) ends with each row's last prompt token; ``lengths`` (B,) says how many count.
    """
    width = tokens.shape[1]
    columns = mx.arange(width)
    pad = width - lengths
    positions = mx.maximum(columns[None] - pad[:, None], 0)
    real = columns[None] >= pad[:, None]
    itself = columns[:, None] == columns[None]  # padding sees itself, so that no softmax is empty
    causal = columns[:, None] >= columns[None]
    mask = (causal[None] & real[:, None]) | itself[None]
    decoder = model.decoder
    x = decoder.token_embedding(tokens) + decoder.positional_embedding[positions]
    bias = _bias(mask[:, None], x.dtype)
    cache: list[KeysValues] = []
    for block, heard in zip(_blocks(model), cross, strict=True):
        y = block.attn_ln(x)
        keys = _heads(block.attn, block.attn.key(y))
        values = _heads(block.attn, block.attn.value(y))
        cache.append((keys, values))
        x = x + _attend(block.attn, y, (keys, values), bias)
        x = x + _attend(block.cross_attn, block.cross_attn_ln(x), heard)
        x = x + _feed_forward(block, x)
    return decoder.ln(x), cache


def step(
    model: Whisper,
    tokens: mx.array,
    starts: mx.array,
    column: int,
    cache: Sequence[KeysValues],
    cross: Sequence[KeysValues],
) -> mx.array:
    """One token for every row: logits (B, V); writes ``column`` of the cache (B, H, C, D) in place.

    ``tokens`` is (B,); a row sees columns from ``starts`` (B,) to ``column``. Positions are
    absolute in Whisper, so where in the cache a token lies does not matter: rows that joined at
    different times share the column of the step.
    """
    decoder = model.decoder
    positions = mx.minimum(column - starts, decoder.positional_embedding.shape[0] - 1)
    x = (decoder.token_embedding(tokens) + decoder.positional_embedding[positions])[:, None]
    columns = mx.arange(cache[0][0].shape[2])
    seen = (columns[None] >= starts[:, None]) & (columns[None] <= column)
    bias = _bias(seen[:, None, None], x.dtype)
    for block, (keys, values), heard in zip(_blocks(model), cache, cross, strict=True):
        y = block.attn_ln(x)
        keys[:, :, column : column + 1] = _heads(block.attn, block.attn.key(y))
        values[:, :, column : column + 1] = _heads(block.attn, block.attn.value(y))
        x = x + _attend(block.attn, y, (keys, values), bias)
        x = x + _look(block.cross_attn, block.cross_attn_ln(x), heard)
        x = x + _feed_forward(block, x)
    return say(model, decoder.ln(x)[:, 0])


def say(model: Whisper, states: mx.array) -> mx.array:
    """How likely each token of the vocabulary is to follow: (..., state) -> logits (..., V)."""
    return model.decoder.token_embedding.as_linear(states)


def follow(
    model: Whisper, tokens: mx.array, cross: Iterable[KeysValues], heads: Sequence[Sequence[int]]
) -> tuple[mx.array, mx.array]:
    """Run whole texts, padded on the right: what logits are made of (B, T, state), and where some
    heads look.

    ``heads`` are pairs of layer and head of the cross-attention. Their scores before the softmax,
    (B, len(heads), T, 1500), in order of the layers: fused attention does not tell them.
    """
    decoder = model.decoder
    columns = mx.arange(tokens.shape[1])
    x = decoder.token_embedding(tokens) + decoder.positional_embedding[columns]
    bias = _bias((columns[:, None] >= columns[None])[None, None], x.dtype)
    scores: list[mx.array] = []
    for layer, (block, heard) in enumerate(zip(_blocks(model), cross, strict=True)):
        x = x + _self_attend(block.attn, block.attn_ln(x), bias)
        y = block.cross_attn_ln(x)
        if own := [head for at, head in heads if at == layer]:
            scores.append(_scores(block.cross_attn, y, heard[0], mx.array(own)))
        x = x + _attend(block.cross_attn, y, heard)
        x = x + _feed_forward(block, x)
    return decoder.ln(x), mx.concatenate(scores, axis=1)


def _self_attend(attention: Any, x: mx.array, bias: mx.array | None = None) -> mx.array:
    keys, values = _heads(attention, attention.key(x)), _heads(attention, attention.value(x))
    return _attend(attention, x, (keys, values), bias)


def _scores(attention: Any, x: mx.array, keys: mx.array, heads: mx.array) -> mx.array:
    """How well queries of some heads match the audio: (B, heads, T, 1500)."""
    queries = _heads(attention, attention.query(x))[:, heads]
    return (queries * queries.shape[-1] ** -0.5) @ keys[:, heads].swapaxes(-1, -2)


def _attend(
    attention: Any, x: mx.array, keys_values: KeysValues, bias: mx.array | None = None
) -> mx.array:
    queries = _heads(attention, attention.query(x))
    return attention.out(_joined(fused(queries, *keys_values, bias)))


def _look(attention: Any, x: mx.array, keys_values: KeysValues) -> mx.array:
    """What the one query of each row, (B, 1, state), finds in the audio.

    CUDA's kernel for a lone query reads keys and values at little more than half of the speed of
    the one for two (1500 frames, 128 rows, H100: 1.7 against 2.9 TB/s), which costs the host more:
    in a large batch the query goes twice.
    """
    queries = _heads(attention, attention.query(x))
    if x.shape[0] >= MANY_ROWS and mx.cuda.is_available():
        queries = mx.concatenate([queries, queries], axis=2)
    return attention.out(_joined(fused(queries, *keys_values)[:, :, :1]))


def _blocks(model: Whisper) -> list[Any]:
    """The decoder's layers, of a class whose encoder's have no cross-attention."""
    blocks: list[Any] = model.decoder.blocks
    return blocks


def _heads(attention: Any, x: mx.array) -> mx.array:
    """(B, T, state) -> (B, H, T, D)"""
    return x.reshape(*x.shape[:2], attention.n_head, -1).transpose(0, 2, 1, 3)


def _joined(x: mx.array) -> mx.array:
    """(B, H, T, D) -> (B, T, state)"""
    return x.transpose(0, 2, 1, 3).reshape(x.shape[0], x.shape[2], -1)


def _feed_forward(block: Any, x: mx.array) -> mx.array:
    return block.mlp2(nn.gelu(block.mlp1(block.mlp_ln(x))))


def _bias(seen: mx.array, dtype: mx.Dtype) -> mx.array:
    return mx.where(seen, 0.0, -mx.inf).astype(dtype)
