"""The same recording through this service and through its peers, on this machine's CPU.

    uv run --with faster-whisper python -m bench.peers [--audio FILE] [--model base]
    uv run --with faster-whisper python -m bench.peers --at-once 8 --audio tests/audio/jfk.flac

All have the same weights. Each runs in a process of its own, in turns with the others, loaded and
warm before the clock starts; its time goes from files to text. ``--at-once N`` asks for the file N
times at the same moment: this service and faster-whisper take the requests as they come, whispermlx
and mlx_whisper one after the other, as the services around them do. Without ``--with
faster-whisper`` its rows are left out. ``--engines`` picks rows by name (see --help), ``--repeat``
says how many turns there are; the table has medians, and the largest of the peaks of memory.
"""

import argparse
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from asr.blas import preload_blas
from bench.apart import measure_apart
from bench.contenders import CONTENDERS
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.speech import SPEECH, duration_s
from bench.wer import spoken_in, word_error_rate

PACKAGES = ("whispermlx", "mlx-whisper", "faster-whisper", "ctranslate2")
REPEAT_ALONE = 3


@dataclass(frozen=True, slots=True)
class Turn:
    """One engine's result of one turn."""

    seconds: float
    texts: list[str]
    peak_mb: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--audio", type=Path, default=SPEECH)
    parser.add_argument("--model", default="base", help="one of the embedded models")
    parser.add_argument("--at-once", type=int, default=1, help="how many requests (default: 1)")
    parser.add_argument(
        "--repeat", type=int, help=f"turns (default: {REPEAT_ALONE}; 1 for several at once)"
    )
    parser.add_argument(
        "--engines", default=",".join(CONTENDERS), help="of these (default): %(default)s"
    )
    given = parser.parse_args()
    repeat = given.repeat or (REPEAT_ALONE if given.at_once == 1 else 1)
    engines = present(given.engines.split(","))
    turns: dict[str, list[Turn]] = {engine: [] for engine in engines}
    for number in range(1, repeat + 1):
        for engine in engines:
            turns[engine].append(take_turn(engine, given))
            said = f"turn {number}: {engine} {turns[engine][-1].seconds:.1f} s"
            print(said, file=sys.stderr, flush=True)
    print(f"{given.model}, {given.audio.name}, {describe(*PACKAGES)}, {preload_blas()};")
    print(f"requests at once: {given.at_once}, turns: {repeat}\n")
    print_table(turns, given.audio, given.at_once)


def present(engines: Sequence[str]) -> list[str]:
    """Those of the engines that are installed; a line for each other."""
    kept = []
    for name in engines:
        if name not in CONTENDERS:
            sys.exit(f"no engine is called {name!r}; there are {', '.join(CONTENDERS)}")
        if find_spec(CONTENDERS[name].package):
            kept.append(name)
        else:
            print(f"{name} is left out: it needs {CONTENDERS[name].package}, which is not here")
    return kept or sys.exit("there is nothing to measure")


def take_turn(engine: str, given: argparse.Namespace) -> Turn:
    """One measurement, in a process of its own."""
    arguments = ("--model", given.model, "--at-once", str(given.at_once))
    audio = str(given.audio.resolve())
    return Turn(**measure_apart("bench.contenders", engine, audio, *arguments))


def print_table(turns: dict[str, list[Turn]], audio: Path, at_once: int) -> None:
    audio_s, spoken = duration_s(audio) * at_once, spoken_in(audio)
    medians = {
        engine: statistics.median(turn.seconds for turn in taken) for engine, taken in turns.items()
    }
    ours = medians.get("ours")
    print_head(
        "engine", "seconds", "fastest to slowest", "x realtime", "x our time", "WER", "peak MB"
    )
    for engine, taken in turns.items():
        seconds = [turn.seconds for turn in taken]
        texts = [text for turn in taken for text in turn.texts]
        print_row(
            CONTENDERS[engine].label,
            f"{medians[engine]:.1f}",
            f"{min(seconds):.1f} to {max(seconds):.1f}",
            f"{audio_s / medians[engine]:.2f}",
            f"{medians[engine] / ours:.2f}" if ours else "",
            f"{word_error_rate([spoken] * len(texts), texts):.1%}" if spoken else "",
            f"{max(turn.peak_mb for turn in taken):.0f}",
        )


if __name__ == "__main__":
    main()
