"""How time and memory grow with the length of the audio, and with the number of clients.

    uv run python -m bench.growth [--minutes 1,10,60,600] [--clients 1,2,4,8,16,32,64]
        [--model tiny.en]

Each measurement opens the house, without its HTTP front, in a process of its own, on the device
that DEVICE names (as a rule the fastest), loaded and warm before the clock starts. Long audio is
the 44 s clip over and over, as one file on disk; each client asks for the clip itself. A table is
left out by ``--minutes ""`` or ``--clients ""``. Settings come from the environment, as for the
service; GPU_CONCURRENCY in particular says how many clients are worked on at once.

Memory is that of the process: what is resident when warm, and the most since then (macOS counts the
most since the start). MLX's peak is that of its arrays since the start: on a CPU part of the
process's, on an NVIDIA GPU the GPU's.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from asr.blas import preload_blas
from bench.apart import measure_apart
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.memory import MEGABYTE, peak_mb, reset_peak, resident_mb
from bench.speech import SPEECH, WARM_UP, duration_s, repeat

MINUTES = "1,10,60,600"
CLIENTS = "1,2,4,8,16,32,64"
QUEUE_MAX = 32  # the service's default
WITHOUT_LIMIT = "10000000"  # seconds


@dataclass(frozen=True, slots=True)
class Case:
    """A file, how many clients ask for it at once, and the model they ask."""

    file: Path
    clients: int
    model: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a case took; ``words`` is how many all clients were told together."""

    seconds: float
    words: int
    warm_mb: float
    peak_mb: float
    arrays_peak_mb: float
    machine: str


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", default=MINUTES)
    parser.add_argument("--clients", default=CLIENTS)
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(asdict(measure(Case(given.measure, int(given.clients), given.model)))))
        return
    print(f"{given.model}, {SPEECH.name}, {describe()}, {preload_blas()}")
    print_table("minutes", longer(numbers(given.minutes), given.model))
    print_table("clients", more(numbers(given.clients), given.model))


def numbers(listed: str) -> tuple[int, ...]:
    return tuple(int(number) for number in listed.split(",") if number)


def longer(minutes: tuple[int, ...], model: str) -> Iterator[tuple[int, float, Cost]]:
    """One client with longer and longer files: minutes, seconds of audio, cost."""
    for count in minutes:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "long.flac"
            repeat(file, count * 60.0)
            yield count, count * 60.0, measured(Case(file, 1, model))


def more(clients: tuple[int, ...], model: str) -> Iterator[tuple[int, float, Cost]]:
    """More and more clients with the clip: how many, seconds of audio, cost."""
    for count in clients:
        yield count, count * duration_s(SPEECH), measured(Case(SPEECH, count, model))


def print_table(unit: str, costs: Iterator[tuple[int, float, Cost]]) -> None:
    """A row for each cost, as soon as it is known."""
    for position, (count, audio_s, cost) in enumerate(costs):
        if position == 0:
            print(f"\n{cost.machine}\n")
            each = unit.removesuffix("s")
            speed = ("seconds", f"seconds a {each}", "x realtime", f"words a {each}")
            print_head(unit, *speed, "warm MB", "peak MB", "MLX's peak MB")
        print_row(
            str(count),
            f"{cost.seconds:.1f}",
            f"{cost.seconds / count:.2f}",
            f"{audio_s / cost.seconds:.1f}",
            f"{cost.words / count:.0f}",
            *(f"{mb:.0f}" for mb in (cost.warm_mb, cost.peak_mb, cost.arrays_peak_mb)),
        )


def measured(case: Case) -> Cost:
    """The cost, measured in a process of its own."""
    arguments = ("--measure", str(case.file), "--clients", str(case.clients))
    return Cost(**measure_apart("bench.growth", *arguments, "--model", case.model))


def measure(case: Case) -> Cost:
    """The cost, measured here."""
    import trio

    from asr.building import open_the_house
    from asr.pipeline.types import Options
    from asr.settings import Settings

    words: list[int] = []

    async def run() -> Cost:
        async with open_the_house(Settings.from_environ(environ(case))) as house:

            async def hear(client: str) -> None:
                transcript = await house.transcribe(case.file, Options(), client=client)
                words.append(len(transcript.text.split()))

            await house.transcribe(WARM_UP, Options())
            warm_mb = resident_mb()
            reset_peak()
            began = time.perf_counter()
            async with trio.open_nursery() as nursery:
                for number in range(case.clients):
                    nursery.start_soon(hear, str(number))
            return Cost(
                seconds=time.perf_counter() - began,
                words=sum(words),
                warm_mb=warm_mb,
                peak_mb=peak_mb(),
                arrays_peak_mb=house.stations.gpu.board.memory.peak / MEGABYTE,
                machine=f"{house.device} in {house.compute_type}",
            )

    return trio.run(run)


def environ(case: Case) -> dict[str, str]:
    """The operator's settings, without limits on length and time, and with a place for all."""
    return {
        "MAX_QUEUE_SIZE": str(max(QUEUE_MAX, case.clients)),
        **os.environ,
        "PRELOAD_MODEL": case.model,
        "ASR_AUDIO_MAX_S": WITHOUT_LIMIT,
        "ASR_REQUEST_DEADLINE_S": WITHOUT_LIMIT,
    }


if __name__ == "__main__":
    main()
