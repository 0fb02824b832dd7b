"""What audio looks like is as loud as the audio, however long that is."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

import asr.pipeline.waveform as module
from asr.pipeline.audio import Audio, open_samples
from asr.pipeline.waveform import PEAKS_MAX, Waveform, waveform


def kept(folder: Path, samples: NDArray[np.int16]) -> Audio:
    path = folder / "samples.pcm"
    path.write_bytes(samples.astype("<i2").tobytes())
    return open_samples(path)


def test_a_peak_is_how_far_a_stretch_reaches_to_either_side(tmp_path: Path) -> None:
    samples = np.array([0, 255, 256, -257, 32767, -32768], np.int16)
    assert waveform(kept(tmp_path, samples)) == Waveform(6 / 16_000, (0, 0, 1, 1, 127, 127))


def test_nothing_looks_like_nothing(tmp_path: Path) -> None:
    assert waveform(kept(tmp_path, np.zeros(0, np.int16))) == Waveform(0.0, ())


@given(
    samples=arrays(np.int16, st.integers(1, 9000), elements=st.integers(-32768, 32767)),
    block=st.integers(1, 10_000),
)
def test_blocks_of_any_size_make_the_same_peaks(
    tmp_path_factory: pytest.TempPathFactory, samples: NDArray[np.int16], block: int
) -> None:
    audio = kept(tmp_path_factory.getbasetemp(), samples)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_SAMPLES", block)
        peaks = waveform(audio).peaks
    stretch = -(-samples.size // PEAKS_MAX)
    loudest = [
        max(abs(int(sample)) for sample in samples[start : start + stretch])
        for start in range(0, samples.size, stretch)
    ]
    assert len(peaks) <= PEAKS_MAX
    assert list(peaks) == [min(127, reach // 256) for reach in loudest]


def test_samples_that_are_gone_are_missed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        waveform(Audio(tmp_path / "none.pcm", 16))
