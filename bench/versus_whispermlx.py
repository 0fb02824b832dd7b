"""The same recording through this service and through whispermlx's own engine, side by side.

    uv run python -m bench.versus_whispermlx [--audio FILE] [--repeat N]

Both run on this machine's CPU with the embedded base weights, each in a process of its own, one
after the other and in turns, models loaded and warm before the clock starts. whispermlx is measured
as whispermlx-asr-service 0.6.1 runs it: ``load_model(...).transcribe(samples)``, on the linear
algebra that MLX's wheel links; a second row gives it the fast one that this service preloads.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

from bench.machine import describe

ROOT = Path(__file__).resolve().parent.parent
AUDIO = ROOT / "tests" / "audio" / "austen-kennedy-44s.flac"
WARM_UP = ROOT / "tests" / "audio" / "jfk.flac"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio", type=Path, default=AUDIO)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--engine", choices=ENGINES, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        print(json.dumps(measure(arguments.engine, arguments.audio)))
        return
    compare(arguments.audio, arguments.repeat)


def compare(audio: Path, repeat: int) -> None:
    """Measure each engine in turns, and print medians and ratios."""
    seconds: dict[str, list[float]] = {engine: [] for engine in ENGINES}
    texts: dict[str, str] = {}
    for _ in range(repeat):
        for engine in ENGINES:
            command = [
                sys.executable,
                "-m",
                "bench.versus_whispermlx",
                "--engine",
                engine,
                "--audio",
                str(audio),
            ]
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT)
            result = json.loads(done.stdout.splitlines()[-1])
            seconds[engine].append(result["seconds"])
            texts[engine] = result["text"]
    ours = statistics.median(seconds["ours"])
    print(f"{audio.name}, base, float32 or as the engine chooses, {describe()}, {repeat} runs each")
    for engine, taken in seconds.items():
        median = statistics.median(taken)
        spread = f"{min(taken):.1f} to {max(taken):.1f}"
        print(f"{engine:24} {median:7.1f} s  ({spread})  {median / ours:5.1f} x ours")
        print(f"    {texts[engine][:100]}")


def measure(engine: str, audio: Path) -> dict[str, float | str]:
    """Seconds and text of one warm transcription, in this process."""
    return ENGINES[engine](audio)


def ours(audio: Path) -> dict[str, float | str]:
    import trio

    from asr.pipeline.types import Options
    from asr.run import open_the_house
    from asr.settings import Settings

    async def run() -> dict[str, float | str]:
        async with open_the_house(Settings.from_environ({})) as house:
            await house.transcribe(WARM_UP, Options())
            began = time.perf_counter()
            transcript = await house.transcribe(audio, Options())
            return {"seconds": time.perf_counter() - began, "text": transcript.text}

    return trio.run(run)


def theirs(audio: Path, *, fast_blas: bool) -> dict[str, float | str]:
    from asr.blas import preload_blas

    if fast_blas:
        preload_blas()
    import whispermlx

    model = whispermlx.load_model(str(base_model()), "cpu")

    def once(file: Path) -> str:
        return " ".join(part["text"] for part in model.transcribe(samples(file))["segments"])

    once(WARM_UP)
    began = time.perf_counter()
    text = once(audio)
    return {"seconds": time.perf_counter() - began, "text": text}


def base_model() -> Path:
    from asr.pipeline.models import ModelSettings, ModelStore

    return ModelStore(ModelSettings(), accelerated=False).fetch("base")


def samples(file: Path) -> "NDArray[np.float32]":
    """The file as whispermlx takes it: 16 kHz mono float32."""
    import numpy as np

    from asr.actors.ffmpeg import find_ffmpeg
    from asr.pipeline.audio import ffmpeg_argv

    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "samples"
        subprocess.run(ffmpeg_argv(find_ffmpeg(), file, target, seconds_max=36000), check=True)
        return np.fromfile(target, "<i2").astype(np.float32) / np.float32(32768)


ENGINES: dict[str, Callable[[Path], dict[str, float | str]]] = {
    "ours": ours,
    "whispermlx": partial(theirs, fast_blas=False),
    "whispermlx, fast BLAS": partial(theirs, fast_blas=True),
}

if __name__ == "__main__":
    main()
