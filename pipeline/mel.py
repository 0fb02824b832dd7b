"""Log-mel spectrograms, which Whisper sees: of many windows in one pass.

As ``log_mel_spectrogram`` in ``whisper/audio.py`` of OpenAI's reference, whose filters mlx_whisper
carries. It goes window by window, in a dozen small operations each: for a GPU that is longer than
to encode a window of a small model.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import mlx.core as mx
import numpy as np
from mlx_whisper.audio import HOP_LENGTH, N_FFT, N_SAMPLES, hanning, mel_filters

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr.pipeline.types import Window

RANGE = 8.0  # decades below a window's loudest number: less is as good as silence


def log_mel(windows: Sequence[Window], mels: int) -> mx.array:
    """The log-mel spectrograms of windows, padded with silence to 30 s: (B, 3000, mels), float32.

    Raises FileNotFoundError when the audio of one is gone.
    """
    samples = np.zeros((len(windows), N_SAMPLES), np.float32)
    for row, window in zip(samples, windows, strict=True):
        heard = window.audio.read(window.start_s, window.end_s)[:N_SAMPLES]
        row[: len(heard)] = heard
    # Each frame is centred on its sample: half a frame more at both ends, mirrored.
    padded = mx.array(np.pad(samples, ((0, 0), (N_FFT // 2, N_FFT // 2)), mode="reflect"))
    frames = mx.as_strided(
        padded,
        (len(windows), N_SAMPLES // HOP_LENGTH, N_FFT),
        (padded.shape[1], HOP_LENGTH, 1),
    )
    power = mx.fft.rfft(frames * hanning(N_FFT)).abs().square()
    loud = mx.log10(mx.maximum(power @ mel_filters(mels).T, 1e-10))
    loud = mx.maximum(loud, loud.max(axis=(1, 2), keepdims=True) - RANGE)
    return (loud + 4.0) / 4.0
