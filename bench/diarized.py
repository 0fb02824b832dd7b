"""What it costs to be told who speaks: a request with speakers, beside its two stages alone.

    uv run python -m bench.diarized [--minutes 10] [--engine 0.5 1 2]

The house is the real one, with the networks that find speech and speakers; only the engine is a
stand-in, which waits a fixed time for each window and computes nothing, as if it were on a GPU.
``--engine`` says how long that takes for all windows, in parts of what the diarizer takes.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import cast

import trio

from asr.actors.fetcher import Fetcher, UrlSettings
from asr.actors.house import House, Machine, open_house
from asr.actors.metrics import Metrics
from asr.actors.settings import HouseSettings
from asr.actors.tools import Tools
from asr.pipeline.audio import Wanted
from asr.pipeline.diarize.diarizer import SpeakerDiarizer
from asr.pipeline.diarize.sources import find_source
from asr.pipeline.engine import LoadedModel, Memory, ModelFolder, Row, Said, SoFar
from asr.pipeline.models import ModelSettings, ModelStore
from asr.pipeline.speakers import Diarize, SpeakerSettings
from asr.pipeline.types import Decoding, Detected, Hypothesis, Options, Piece, Window
from asr.pipeline.vad import SpeechFinder
from bench.machine import describe
from bench.markdown import print_head, print_row
from bench.speech import TWO_PEOPLE, repeat

WINDOW_S = 30.0
RUNS = 3


@dataclass(slots=True)
class WaitingEngine:
    """Takes ``window_s`` for each window, and says one word of it."""

    window_s: float = 0.0
    rows: list[Row] = field(default_factory=list)
    rows_max: int = 8

    def load(self, model: ModelFolder) -> None: ...

    def unload(self, name: str) -> None: ...

    def loaded(self) -> tuple[LoadedModel, ...]:
        return ()

    def detect(self, model: ModelFolder, windows: Sequence[Window]) -> tuple[Detected, ...]:
        return tuple(Detected("en", 1.0) for _ in windows)

    def check(self, model: ModelFolder, decoding: Decoding) -> None: ...

    def admit(self, model: ModelFolder, rows: Sequence[Row]) -> int:
        self.rows += rows
        return len(rows)

    def advance(self) -> Said:
        time.sleep(self.window_s)
        row = self.rows.pop(0)
        return Said(1, ((row, _said(row)),))

    def growing(self, rows: Sequence[Row]) -> tuple[SoFar, ...]:
        return tuple(SoFar("", _said(row)) for row in rows)

    def drop(self, rows: Sequence[Row]) -> None:
        self.rows = [row for row in self.rows if row not in rows]

    def reset(self) -> None:
        self.rows.clear()

    def memory(self) -> Memory:
        return Memory(0, 0, 0)


def _said(row: Row) -> Hypothesis:
    window = row.window
    piece = Piece(window.start_s, window.end_s, " word", (1,))
    return Hypothesis(
        window=window,
        pieces=(piece,),
        heard_until_s=window.end_s,
        temperature=0.0,
        avg_logprob=-0.1,
        no_speech_prob=0.0,
        compression_ratio=1.0,
    )


class NoModels:
    """The stand-in needs no weights."""

    def resolve(self, name: str | None) -> str:
        return name or "none"

    def fetch(self, name: str) -> Path:
        return Path(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--engine", type=float, nargs="+", default=[0.5, 1.0, 2.0])
    asked = parser.parse_args()
    print(f"{describe('torch', 'pyannote.audio')}; {TWO_PEOPLE.name}, {asked.minutes:g} minutes\n")
    with tempfile.TemporaryDirectory() as folder:
        audio = Path(folder) / "talk.wav"
        repeat(audio, asked.minutes * 60, TWO_PEOPLE)
        trio.run(measure, audio, asked.minutes, asked.engine)


async def measure(file: Path, minutes: float, parts: Sequence[float]) -> None:
    engine = WaitingEngine()
    async with opened(engine, file.parent) as house:
        await house.stations.listener.warm()
        alone_s = await timed(partial(diarize, house, file))
        print_head("engine, s", "not diarized, s", "diarizer alone, s", "diarized, s", "ratio")
        for part in parts:
            engine.window_s = part * alone_s / (minutes * 60 / WINDOW_S)
            plain_s = await timed(partial(transcribe, house, file, diarize=False))
            alone_s = await timed(partial(diarize, house, file))
            both_s = await timed(partial(transcribe, house, file, diarize=True))
            longer_s = max(plain_s, alone_s)
            figures = [part * alone_s, plain_s, alone_s, both_s]
            print_row(*(f"{figure:.1f}" for figure in figures), f"{both_s / longer_s:.2f}")


@asynccontextmanager
async def opened(engine: WaitingEngine, folder: Path) -> AsyncIterator[House]:
    source = find_source(ModelSettings())
    assert source is not None, "nothing that tells speakers apart is installed"
    async with open_house(
        HouseSettings(),
        engine=lambda: engine,
        tools=Tools(SpeechFinder, partial(SpeakerDiarizer, source, SpeakerSettings())),
        speakers=SpeakerSettings(),
        models=cast("ModelStore", NoModels()),
        metrics=Metrics(),
        machine=Machine("cpu", "float32"),
        spool=folder / "spool",
        fetcher=Fetcher(UrlSettings()),
    ) as house:
        yield house


async def timed(work: Callable[[], Awaitable[object]]) -> float:
    """The median of several runs, in seconds."""
    taken = []
    for _ in range(RUNS):
        began = time.perf_counter()
        await work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


async def transcribe(house: House, file: Path, *, diarize: bool) -> None:
    heard = await house.transcribe(file, Options(language="en", diarize=diarize))
    assert (heard.diarization is not None) == diarize, heard.warnings


async def diarize(house: House, file: Path) -> None:
    """What a diarized request needs for that alone, reading the file included."""
    stations = house.stations
    assert stations.diarizer is not None
    with stations.receiver.scratch(".pcm") as target:
        audio = await stations.samples(file, target, Wanted())
        await stations.diarizer.diarize(Diarize(audio), progress=lambda _: None)


if __name__ == "__main__":
    main()
