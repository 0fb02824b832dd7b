"""How soon the first words of a stream come, beside its last ones, and beside the plain answer.

    uv run python -m bench.live [--minutes 0.7,5] [--times 3]

Starts ``run.py`` as a process, with the environment's settings. A recording of speech, repeated to
that length, is sent with ``stream=true`` and without, in turn; the median is shown.
"""

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.serving import serving
from bench.speech import WARM_UP, repeat

PATH = "/v1/audio/transcriptions"


@dataclass(frozen=True, slots=True)
class Heard:
    """Seconds from the request until its first delta and until its end, and how many deltas."""

    first_s: float
    end_s: float
    deltas: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", default="0.7,5")
    parser.add_argument("--times", type=int, default=3)
    given = parser.parse_args()
    with serving() as service, tempfile.TemporaryDirectory() as folder:
        print(f"{describe()}; {service.ready}\n")
        with httpx.Client(base_url=service.url, timeout=None) as client:
            plain(client, WARM_UP)
            print_head("audio, minutes", "first words, s", "last, s", "deltas", "not streamed, s")
            for minutes in map(float, given.minutes.split(",")):
                audio = Path(folder, f"{minutes}.flac")
                repeat(audio, minutes * 60)
                show(client, audio, minutes, times=given.times)


def show(client: httpx.Client, audio: Path, minutes: float, *, times: int) -> None:
    """One row of the table."""
    runs = [(streamed(client, audio), plain(client, audio)) for _ in range(times)]
    heard = [stream for stream, _ in runs]
    print_row(
        f"{minutes:g}",
        f"{statistics.median(each.first_s for each in heard):.2f}",
        f"{statistics.median(each.end_s for each in heard):.2f}",
        f"{statistics.median(each.deltas for each in heard):.0f}",
        f"{statistics.median(whole for _, whole in runs):.2f}",
    )


def streamed(client: httpx.Client, audio: Path) -> Heard:
    """What a client of a stream sees."""
    began = time.perf_counter()
    first_s, deltas = 0.0, 0
    files = {"file": audio.read_bytes()}
    with client.stream("POST", PATH, data={"stream": "true"}, files=files) as answer:
        for line in answer.iter_lines():
            if line == "event: transcript.text.delta":
                first_s = first_s or time.perf_counter() - began
                deltas += 1
    return Heard(first_s, time.perf_counter() - began, deltas)


def plain(client: httpx.Client, audio: Path) -> float:
    """Seconds until the whole answer."""
    began = time.perf_counter()
    client.post(PATH, files={"file": audio.read_bytes()}).raise_for_status()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
