"""What this machine can do: one recording, cut into windows, so many of them at once.

Each window is a request of its own, so what is measured is all that the server does for one, but
for the transport.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import sys
import tempfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trio
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table

from asr import __version__
from asr.actors.ffmpeg import decode, find_ffmpeg
from asr.pipeline.audio import SAMPLE_BYTES, SAMPLE_RATE, Wanted
from asr.pipeline.errors import DeadlineExceeded, InvalidRequest
from asr.pipeline.types import Options
from asr.terminal.display import stderr_console
from asr.terminal.exits import DONE
from asr.terminal.tally import clock

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from asr.actors.house import House
    from asr.pipeline.types import Progress

WINDOW_S = 30.0  # what the model sees at once: a row of the batch

# So many windows at once. A CPU gains little from more than it decodes together by default.
CPU_SIZES = (1, 2, 4, 8)
GPU_SIZES = (1, 8, 32, 128)
AT_ONCE_MAX = 128

# Past so many times what it was given, it is ended in the middle: with a machine far too slow.
GIVEN_UP_AFTER = 5


@dataclass(frozen=True, slots=True)
class Ask:
    """What is to be measured, in about how many seconds once the model is there."""

    file: Path
    options: Options
    seconds: float
    as_json: bool


@dataclass(frozen=True, slots=True)
class Measured:
    """So many windows at once: how much audio that is, and how long it took."""

    at_once: int
    audio_s: float
    took_s: float

    @property
    def speed(self) -> float:
        """Seconds of audio a second."""
        return self.audio_s / self.took_s


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured; sizes are ``left_out`` for which time or descriptors were too few."""

    model: str
    device: str
    compute_type: str
    words: bool
    speakers: bool
    ready_s: float  # from an open house to a model in memory
    first_text_s: float | None  # of a single window; None: it says nothing
    weights_bytes: int
    arrays_bytes: int  # at their most
    process_bytes: int  # as the system counts it, at its most
    measured: tuple[Measured, ...]
    left_out: tuple[int, ...]


def ask(arguments: Namespace) -> Ask:
    """What a command line wants measured. Raises InvalidRequest."""
    file: Path | None = arguments.file
    if file is None:
        raise InvalidRequest(
            "bench needs a recording of speech, 30 s or more: asr-service bench talk.mp3"
        )
    if not file.is_file():
        raise InvalidRequest(f"{file}: there is no such file")
    options = Options(model=arguments.model, words=arguments.words, diarize=arguments.diarize)
    return Ask(file, options, arguments.seconds, arguments.json)


async def bench(house: AbstractAsyncContextManager[House], asked: Ask, *, at_once: int) -> int:
    """Measure ``at_once`` windows at most, and tell.

    Raises DeadlineExceeded on a machine that takes far too long.
    """
    async with house as opened:
        model = opened.models.resolve(asked.options.model)
        began_s = trio.current_time()
        await opened.preload(model)
        ready_s = trio.current_time() - began_s
        with tempfile.TemporaryDirectory(prefix="asr-bench-") as folder:
            clips = await cut(asked.file, Path(folder))
            patience_s = asked.seconds * GIVEN_UP_AFTER
            trial = Trial(opened, asked.options, clips, at_once=at_once)
            with trio.move_on_after(patience_s) as patience:
                await trial.run(asked.seconds)
        if patience.cancelled_caught and not trial.measured:
            raise DeadlineExceeded(patience_s)
        (write if asked.as_json else show)(_report(trial, model, ready_s))
    return DONE


async def cut(source: Path, folder: Path) -> tuple[Path, ...]:
    """The first minutes of a recording as files of samples, a window each; a short one repeats."""
    target = folder / "whole"
    most_s = AT_ONCE_MAX * WINDOW_S
    wanted = Wanted(first_s=most_s)
    await decode(source, target, wanted, ffmpeg=find_ffmpeg(), seconds_max=most_s)
    samples = await trio.Path(target).read_bytes()
    size = round(WINDOW_S * SAMPLE_RATE) * SAMPLE_BYTES
    whole = samples * -(-size // len(samples)) if len(samples) < size else samples
    clips = []
    for start in range(0, len(whole) - size + 1, size):
        clips.append(folder / f"{start}.pcm")
        await trio.Path(clips[-1]).write_bytes(whole[start : start + size])
    return tuple(clips)


class Trial:
    """Sends windows through a house, more and more at once, as long as there is time."""

    def __init__(
        self, house: House, options: Options, clips: Sequence[Path], *, at_once: int
    ) -> None:
        self.house = house
        self.options = options
        self.first_text_s: float | None = None
        self.measured: list[Measured] = []
        self.left_out = list(CPU_SIZES if house.device == "cpu" else GPU_SIZES)
        self._clips = clips
        self._most = at_once

    async def run(self, seconds: float) -> None:
        """Measure each size in turn; the next one is expected to take as long for each window."""
        self._say("warming up")
        await self._at_once(1)  # loads what finds speech, words and speakers
        began_s = trio.current_time()
        while self.left_out and self.left_out[0] <= self._most:
            size = self.left_out[0]
            if self.measured:
                last = self.measured[-1]
                expected_s = last.took_s * size / last.at_once
                if trio.current_time() - began_s + expected_s > seconds:
                    return
            self._say(f"{size} at once")
            took_s = await self._at_once(size, live=size == 1)
            self.measured.append(Measured(size, size * WINDOW_S, took_s))
            self.left_out.pop(0)

    async def _at_once(self, count: int, *, live: bool = False) -> float:
        """How long so many windows take together."""
        began_s = trio.current_time()

        def hear(progress: Progress) -> None:
            if live and progress.segments and self.first_text_s is None:
                self.first_text_s = trio.current_time() - began_s

        ask = partial(self.house.transcribe, raw=True, notify=hear, live=live)
        async with trio.open_nursery() as nursery:
            for number in range(count):
                nursery.start_soon(ask, self._clips[number % len(self._clips)], self.options)
        return trio.current_time() - began_s

    def _say(self, line: str) -> None:
        """For a person who waits; programs get the report only."""
        console = stderr_console()
        if console.is_terminal:
            console.print(f"measuring: {line}", style="dim")


def _report(trial: Trial, model: str, ready_s: float) -> Report:
    house, options = trial.house, trial.options
    board = house.stations.gpu.board
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return Report(
        model=model,
        device=house.device,
        compute_type=house.compute_type,
        words=options.words,
        speakers=options.diarize,
        ready_s=ready_s,
        first_text_s=trial.first_text_s,
        weights_bytes=sum(loaded.bytes for loaded in house.loaded_models()),
        arrays_bytes=board.memory.peak,
        process_bytes=peak if sys.platform == "darwin" else peak * 1024,
        measured=tuple(trial.measured),
        left_out=tuple(trial.left_out),
    )


def write(report: Report) -> None:
    """The report as an object of JSON."""
    measured = [{**asdict(one), "speed": round(one.speed, 3)} for one in report.measured]
    whole: dict[str, Any] = {
        "version": __version__,
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        **asdict(report),
        "measured": measured,
    }
    sys.stdout.write(json.dumps(whole, indent=2) + "\n")


def show(report: Report) -> None:
    """The report for people."""
    console = Console(highlight=False)
    beside = [name for name in ("words", "speakers") if getattr(report, name)]
    what = ", with ".join((report.model, *beside))
    console.print(
        f"{what}, on {report.device} in {report.compute_type}: asr-service {__version__}, "
        f"{os.cpu_count()} cores, {platform.platform()}",
        soft_wrap=True,
    )
    rows = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("windows of 30 s at once", "audio", "took", "times realtime"):
        rows.add_column(title, justify="right")
    for one in report.measured:
        rows.add_row(
            str(one.at_once), clock(one.audio_s), f"{one.took_s:.1f} s", f"{one.speed:.1f}"
        )
    console.print(rows)
    for line in _remarks(report):
        console.print(line, soft_wrap=True)


def _remarks(report: Report) -> list[str]:
    first_s = report.first_text_s
    text = f"has its first text after {first_s:.1f} s" if first_s else "has no text"
    best = max(report.measured, key=lambda one: one.speed)
    sizes = ", ".join(map(str, report.left_out))
    return [
        f"The model is ready after {report.ready_s:.1f} s, a window alone {text}.",
        f"Memory: {decimal(report.weights_bytes)} of weights, {decimal(report.arrays_bytes)} of "
        f"arrays and {decimal(report.process_bytes)} in all at most.",
        f"At its best an hour of speech takes {clock(3600 / best.speed)}.",
        *([f"There was no time for {sizes} at once: see --seconds."] if sizes else []),
    ]
