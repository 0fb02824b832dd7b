"""Do two windows encode faster at once than one after the other, on a CPU?

    uv run python -m bench.streams [--times 5]

Both on the embedded base weights: one after the other, with all threads of the BLAS for each, and
side by side in two Python threads with an MLX stream each and one BLAS thread each.
"""

import argparse
import ctypes
import os
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from asr.blas import preload_blas

BLAS = preload_blas()  # before MLX is imported

import mlx.core as mx  # noqa: E402
import numpy as np  # noqa: E402
from mlx_whisper.audio import N_SAMPLES, log_mel_spectrogram  # noqa: E402
from mlx_whisper.whisper import Whisper  # noqa: E402

from asr.pipeline.engine import ModelFolder  # noqa: E402
from asr.pipeline.models import ModelSettings, ModelStore  # noqa: E402
from asr.pipeline.network import encode  # noqa: E402
from asr.pipeline.shelf import load_whisper  # noqa: E402
from bench.machine import describe  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=5)
    times = parser.parse_args().times
    mx.set_default_device(mx.cpu)
    folder = ModelStore(ModelSettings(), accelerated=False).fetch("base")
    model = load_whisper(ModelFolder("base", folder), "float32")
    noise = np.random.default_rng(0)
    heard = [noise.normal(size=N_SAMPLES).astype(np.float32) for _ in range(2)]
    mels = [log_mel_spectrogram(samples)[None] for samples in heard]
    mx.eval(mels)
    print(f"{describe()}; {BLAS}; base, two windows of 30 s, median of {times}")
    together_s = median_s(partial(in_turn, model, mels), times)
    ctypes.CDLL(None).openblas_set_num_threads(1)
    with ThreadPoolExecutor(2) as threads:
        apart_s = median_s(partial(at_once, model, mels, threads), times)
    print(f"one after the other, {os.cpu_count()} BLAS threads: {together_s:.2f} s")
    print(f"in two threads, a BLAS thread each: {apart_s:.2f} s")


def in_turn(model: Whisper, mels: list[mx.array]) -> None:
    for mel in mels:
        mx.eval(encode(model, mel))


def at_once(model: Whisper, mels: list[mx.array], threads: ThreadPoolExecutor) -> None:
    list(threads.map(partial(encode_apart, model), mels))


def encode_apart(model: Whisper, mel: mx.array) -> None:
    with mx.stream(mx.new_stream(mx.cpu)):
        mx.eval(encode(model, mel))


def median_s(run: Callable[[], None], times: int) -> float:
    run()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        run()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
