"""The recordings that the scripts transcribe, and longer ones made of them."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from asr.actors.ffmpeg import find_ffmpeg
from asr.pipeline.audio import Audio, ffmpeg_argv, open_samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "tests" / "audio" / "austen-kennedy-44s.flac"
TWO_PEOPLE = ROOT / "tests" / "audio" / "two-people.flac"
WARM_UP = ROOT / "tests" / "audio" / "jfk.flac"
SECONDS_MAX = 100 * 3600.0


def samples(file: Path) -> "NDArray[np.float32]":
    """The file as array libraries take it: 16 kHz mono float32."""
    with _decoded(file) as audio:
        return audio.read(0.0, audio.duration_s)


def duration_s(file: Path) -> float:
    """How long the recording is."""
    with _decoded(file) as audio:
        return audio.duration_s


def repeat(target: Path, seconds: float, source: Path = SPEECH) -> None:
    """Write the recording over and over into ``target``, cut at ``seconds``."""
    subprocess.run(
        [
            *(find_ffmpeg(), "-nostdin", "-y", "-loglevel", "error", "-stream_loop", "-1"),
            *("-i", str(source), "-t", str(seconds), str(target)),
        ],
        check=True,
    )


@contextmanager
def _decoded(file: Path) -> Iterator[Audio]:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "samples"
        argv = ffmpeg_argv(find_ffmpeg(), file, target, seconds_max=SECONDS_MAX)
        subprocess.run(argv, check=True)
        yield open_samples(target)
