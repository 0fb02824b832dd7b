"""Whisper's engine alone: windows a second at each batch size, beside mlx_whisper one by one.

    uv run python -m bench.engine [--models large-v3,turbo,base] [--rows 1,8,32] [--tokens 100]

Weights are random, of the real models' shapes and in the device's precision, so that nothing has to
be downloaded and every row says exactly as many tokens; a window of real speech has about 100. The
figure is seconds of audio (30 a window) for a second of encoding, prompting and decoding.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from asr.blas import preload_blas

BLAS = preload_blas()  # before MLX is imported

import mlx.core as mx  # noqa: E402
from mlx.utils import tree_map  # noqa: E402
from mlx_whisper.decoding import DecodingOptions, decode  # noqa: E402
from mlx_whisper.whisper import ModelDimensions, Whisper  # noqa: E402

from asr.pipeline.audio import Audio  # noqa: E402
from asr.pipeline.batch import Batch  # noqa: E402
from asr.pipeline.device import best_device  # noqa: E402
from asr.pipeline.engine import Row  # noqa: E402
from asr.pipeline.network import encode  # noqa: E402
from asr.pipeline.types import Decoding, Window  # noqa: E402
from asr.pipeline.vocabulary import Vocabulary  # noqa: E402
from asr.pipeline.whisper import CPU_CAPACITY, GPU_CAPACITY  # noqa: E402
from bench.machine import describe  # noqa: E402
from bench.shapes import SHAPES  # noqa: E402

WINDOW_S = 30.0
NOWHERE = Audio(Path(), 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="base")
    parser.add_argument("--rows", default="1,4,8")
    parser.add_argument("--tokens", type=int, default=100)
    arguments = parser.parse_args()
    device = best_device()
    mx.set_default_device(mx.cpu if device == "cpu" else mx.gpu)
    dtype = mx.float32 if device == "cpu" else mx.float16
    print(f"{describe()}; MLX on {device} in {dtype}; {BLAS}; {arguments.tokens} tokens a window")
    for name in arguments.models.split(","):
        model = random_model(name, dtype)
        alone_s = best_of(partial(one_by_one, model, dtype, arguments.tokens))
        print(f"{name}: mlx_whisper one by one {WINDOW_S / alone_s:.0f} x realtime")
        for rows in map(int, arguments.rows.split(",")):
            parts = [batched(model, dtype, rows, arguments.tokens) for _ in range(3)]
            encode_s, join_s, steps_s = min(parts, key=sum)
            speed = rows * WINDOW_S / (encode_s + join_s + steps_s)
            print(
                f"{name}: {rows:4d} rows {speed:7.0f} x realtime, {speed * alone_s / WINDOW_S:5.1f}"
                f" x one by one; encode {encode_s:.3f} s, prompts {join_s:.3f} s,"
                f" {steps_s / arguments.tokens * 1000:.2f} ms a step;"
                f" peak {mx.get_peak_memory() / 2**30:.1f} GiB"
            )


def batched(model: Whisper, dtype: mx.Dtype, rows: int, tokens: int) -> tuple[float, float, float]:
    """Seconds to encode ``rows`` windows, to run their prompts, and to say ``tokens`` tokens."""
    capacity = CPU_CAPACITY if dtype == mx.float32 else GPU_CAPACITY
    mx.reset_peak_memory()
    mel = mx.random.normal((rows, 3000, model.dims.n_mels)).astype(dtype)
    mx.eval(mel)
    began = time.perf_counter()
    features = []
    for i in range(0, rows, capacity.together):
        features.append(encode(model, mel[i : i + capacity.together]))
        mx.eval(features[-1])
    encoded = time.perf_counter()
    vocabulary = replace(Vocabulary.of(model), context=2 * tokens)  # a row ends after half of it
    batch = Batch(model, vocabulary, habits=capacity.habits)
    window = Window(NOWHERE, 0.0, WINDOW_S)
    for part in features:
        joining = [Row(window, Decoding("en", temperatures=(0.0,))) for _ in range(part.shape[0])]
        batch.join(joining, part, slots_max=rows)
    joined = time.perf_counter()
    while len(batch):
        batch.advance()
    return encoded - began, joined - encoded, time.perf_counter() - joined


def one_by_one(model: Whisper, dtype: mx.Dtype, tokens: int) -> None:
    """A window as mlx_whisper decodes it."""
    mel = mx.random.normal((3000, model.dims.n_mels)).astype(dtype)
    options = DecodingOptions(language="en", fp16=dtype == mx.float16, sample_len=tokens)
    decode(model, mel, options)


def best_of(run: Callable[[], None], times: int = 3) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return min(taken)


def random_model(name: str, dtype: mx.Dtype) -> Whisper:
    """A model of the right shape; small weights, so that float16 does not overflow."""
    mels, vocabulary, state, heads, encoder, decoder = SHAPES[name]
    dims = ModelDimensions(
        n_mels=mels,
        n_audio_ctx=1500,
        n_audio_state=state,
        n_audio_head=heads,
        n_audio_layer=encoder,
        n_vocab=vocabulary,
        n_text_ctx=448,
        n_text_state=state,
        n_text_head=heads,
        n_text_layer=decoder,
    )
    mx.random.seed(0)
    model = Whisper(dims, dtype)
    model.update(tree_map(lambda a: (mx.random.normal(a.shape) * 0.02).astype(dtype), model))
    mx.eval(model.parameters())
    return model


if __name__ == "__main__":
    main()
