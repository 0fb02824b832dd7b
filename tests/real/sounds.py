"""Real sounds for real models: recordings, and what is no speech at all."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import imageio_ffmpeg
import numpy as np

from asr.actors.ffmpeg import find_ffmpeg
from asr.pipeline.audio import SAMPLE_RATE, Audio, ffmpeg_argv, open_samples
from asr.pipeline.types import Window

if TYPE_CHECKING:
    from numpy.typing import NDArray

RECORDINGS = Path(__file__).parent.parent / "audio"

JFK = RECORDINGS / "jfk.flac"
GERMAN = RECORDINGS / "german.flac"
AUSTEN = RECORDINGS / "austen-kennedy-44s.flac"


def recorded(file: Path, folder: Path) -> Audio:
    """A recording as samples in a folder."""
    target = folder / f"{file.stem}.pcm"
    subprocess.run(ffmpeg_argv(find_ffmpeg(), file, target, seconds_max=3600.0), check=True)
    return open_samples(target)


def made(name: str, samples: NDArray[np.float64], folder: Path) -> Audio:
    """Samples in [-1, 1] as an audio."""
    target = folder / f"{name}.pcm"
    (samples * 32767).astype("<i2").tofile(target)
    return open_samples(target)


def whole(audio: Audio) -> Window:
    return Window(audio, 0.0, audio.duration_s)


def noise(seconds: float) -> NDArray[np.float64]:
    """White noise, always the same."""
    return np.random.default_rng(7).normal(0.0, 0.1, round(seconds * SAMPLE_RATE)).clip(-1, 1)


def silence(seconds: float) -> NDArray[np.float64]:
    return np.zeros(round(seconds * SAMPLE_RATE))


def chords(seconds: float) -> NDArray[np.float64]:
    """Something like music: three tones that change each second."""
    t = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    root = 220.0 * 2 ** (np.array([0, 5, 7, 3])[t.astype(int) % 4] / 12)
    tones = sum(np.sin(2 * np.pi * root * ratio * t) for ratio in (1.0, 1.25, 1.5))
    return np.asarray(0.2 * tones * np.exp(-3 * (t % 1)))


def as_file(source: Path, target: Path, *options: str, before: tuple[str, ...] = ()) -> Path:
    """The source in the form that the target's name says; ``before`` are options of the input.

    Made by the ffmpeg that every installation has: others know fewer codecs.
    """
    argv = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y", *before]
    subprocess.run([*argv, "-i", str(source), *options, str(target)], check=True)
    return target
