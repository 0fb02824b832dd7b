"""What audio looks like: how far its samples reach, in as many steps as a screen has room for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr.pipeline.audio import Audio

PEAKS_MAX = 2000
PEAK_MAX = 127
BLOCK_SAMPLES = 1 << 20  # looked at together: 2 MB, however long the audio is

LEVELS_A_STEP = 32768 // (PEAK_MAX + 1)  # of a sample


@dataclass(frozen=True, slots=True)
class Waveform:
    """The loudest sample of each of equal stretches of audio, 0 to 127; the last may be shorter."""

    duration_s: float
    peaks: tuple[int, ...]


def waveform(audio: Audio) -> Waveform:
    """At most 2000 peaks of any audio, in bounded memory; ten hours take some seconds of reading.

    Raises FileNotFoundError when the samples are gone.
    """
    if not audio.samples:
        return Waveform(0.0, ())
    stretch = -(-audio.samples // PEAKS_MAX)
    block = max(1, BLOCK_SAMPLES // stretch) * stretch
    starts = range(0, audio.samples, block)
    blocks = (_peaks(_samples(audio, start, start + block), stretch) for start in starts)
    return Waveform(audio.duration_s, tuple(peak for peaks in blocks for peak in peaks))


def _samples(audio: Audio, start: int, stop: int) -> NDArray[np.int16]:
    mapped = np.memmap(audio.path, dtype="<i2", mode="r", shape=(audio.samples,))
    return np.array(mapped[start:stop])  # the mapping is let go of, and the pages with it


def _peaks(samples: NDArray[np.int16], stretch: int) -> list[int]:
    """The peaks of a block, of which only the last stretch of all audio is not whole."""
    edges = np.arange(0, samples.size, stretch)
    above = np.maximum.reduceat(samples, edges).astype(np.int32)
    below = np.minimum.reduceat(samples, edges).astype(np.int32)
    reach = np.maximum(above, -below) // LEVELS_A_STEP
    peaks: list[int] = np.clip(reach, 0, PEAK_MAX).tolist()
    return peaks
