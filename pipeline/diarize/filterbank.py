"""Mel filterbanks of an audio, from its start to its end, a block at a time.

Kaldi's, as voice networks are trained with: 80 bins, 25 ms every 10 ms, no dither. Each frame is
made of its own samples alone, so blocks that overlap by 15 ms give the frames of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asr.pipeline.audio import Audio

BINS = 80
FRAME = 400  # samples
SHIFT = 160


class Filterbank:
    """The frames of one audio. What was asked for is kept until a later frame is asked for."""

    def __init__(self, audio: Audio) -> None:
        self._audio = audio
        self._first = 0
        self._frames = np.zeros((0, BINS), np.float32)

    def between(self, start: int, stop: int) -> NDArray[np.float32]:
        """Frames from one number up to another, (frames, BINS): fewer where the audio ends.

        ``start`` never goes back.
        """
        self._frames = self._frames[start - self._first :]
        self._first = start
        known = start + len(self._frames)
        if stop > known:
            first, last = known * SHIFT, (stop - 1) * SHIFT + FRAME
            heard = self._audio.read(first / SAMPLE_RATE, last / SAMPLE_RATE)
            self._frames = np.concatenate([self._frames, filterbank(heard)])
        return self._frames[: stop - start]


def filterbank(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """The frames of samples in [-1, 1): shape (frames, BINS)."""
    if len(samples) < FRAME:
        return np.zeros((0, BINS), np.float32)
    import torch
    from torchaudio.compliance import kaldi  # type: ignore[import-untyped]

    # Kaldi's samples are whole numbers of 16 bit.
    waveform = torch.from_numpy(samples * 32768.0).unsqueeze(0)
    frames: NDArray[np.float32] = kaldi.fbank(waveform, num_mel_bins=BINS, dither=0.0).numpy()
    return frames
