"""Values, and stand-ins for what is slow, in the actors' tests."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

from trio.testing import wait_all_tasks_blocked

from asr.pipeline.audio import SAMPLE_BYTES, SAMPLE_RATE, Audio, Wanted
from asr.pipeline.engine import ModelFolder, Row, SoFar
from asr.pipeline.types import Decoding, Found, Hypothesis, Piece, Span, Window
from tests.fakes import FakeThread, Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable

    from asr.actors.thread import InThread

WINDOW_S = 30.0

BASE = ModelFolder("base", Path("base"))
TINY = ModelFolder("tiny", Path("tiny"))
LOST = ModelFolder("lost", Path("lost"))  # a model whose weights cannot be had

ENGLISH = Decoding("en")
UNKNOWN = Decoding("xx")  # a language that no model knows


def audio(name: str, seconds: float) -> Audio:
    return Audio(Path(name), round(seconds * SAMPLE_RATE))


def windows(name: str, count: int) -> tuple[Window, ...]:
    """So many full windows of an audio."""
    whole = audio(name, count * WINDOW_S)
    return tuple(Window(whole, i * WINDOW_S, (i + 1) * WINDOW_S) for i in range(count))


def name(window: Window) -> str:
    """``a0`` is the window of ``a`` that starts at 0 s."""
    return f"{window.audio.path.stem}{window.start_s:g}"


def row_name(row: Row) -> str:
    """The window, and the temperature if that is not 0."""
    return name(row.window) + (f"@{row.temperature:g}" if row.temperature else "")


def names(rows: Iterable[Row]) -> str:
    return " ".join(map(row_name, rows))


def said(
    row: Row,
    *,
    text: str | None = None,
    until_s: float | None = None,
    avg_logprob: float = -0.1,
    no_speech_prob: float = 0.0,
    compression_ratio: float = 1.0,
) -> Hypothesis:
    """A hypothesis that is believed as it is; the text is the row's name unless given."""
    window = row.window
    end_s = window.end_s if until_s is None else until_s
    piece = Piece(window.start_s, end_s, f" {row_name(row) if text is None else text}", (1, 2))
    return Hypothesis(
        window=window,
        pieces=(piece,),
        heard_until_s=end_s,
        temperature=row.temperature,
        avg_logprob=avg_logprob,
        no_speech_prob=no_speech_prob,
        compression_ratio=compression_ratio,
    )


def so_far(row: Row, text: str) -> SoFar:
    """A text without a closed piece."""
    return SoFar(text, replace(said(row), pieces=()))


@dataclass
class FakeDecoder(Gate):
    """Stands in for ffmpeg: a minute of samples, unless the table says otherwise of the source."""

    seconds: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, bool]] = field(default_factory=list)  # the source, and whether it is raw
    wanted: list[Wanted] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__init__()

    async def __call__(
        self, source: Path, target: Path, wanted: Wanted, *, check: Callable[[], None]
    ) -> Audio:
        self.asked.append((source.name, wanted.raw))
        self.wanted.append(wanted)
        await self._free.wait()
        check()
        if source.name in self.faults:
            raise self.faults[source.name]
        audio = Audio(target, round(self.seconds.get(source.name, 60.0) * SAMPLE_RATE))
        with target.open("wb") as file:
            file.truncate(audio.samples * SAMPLE_BYTES)  # silence, which takes no disk
        return audio


@dataclass
class FakeFinder:
    """Hears an audio in one block unless told; all is speech, unless the table says otherwise."""

    block_s: float = inf
    heard_s: float = 0.0  # of all audios together
    table: dict[float, tuple[Span, ...]] = field(default_factory=dict)  # by length of the audio
    faults: list[Exception] = field(default_factory=list)

    def load(self) -> None:
        if self.faults:
            raise self.faults.pop(0)

    def begin(self, audio: Audio, /) -> FakeScan:
        return FakeScan(self, audio)


@dataclass
class FakeScan:
    finder: FakeFinder
    audio: Audio
    done_s: float = 0.0

    @property
    def done(self) -> bool:
        return self.done_s == self.audio.duration_s

    def advance(self) -> Found:
        before_s, total_s = self.done_s, self.audio.duration_s
        self.done_s = min(total_s, before_s + self.finder.block_s)
        self.finder.heard_s += self.done_s - before_s
        spans = self.finder.table.get(total_s, (Span(0.0, total_s),))
        heard = tuple(span for span in spans if before_s < span.end_s <= self.done_s)
        return Found(heard, self.done_s, self.done)


class FakeThreads:
    """A thread for each name that is asked for; the test holds them."""

    def __init__(self) -> None:
        self.named: defaultdict[str, FakeThread] = defaultdict(FakeThread)

    @asynccontextmanager
    async def __call__(self, name: str) -> AsyncIterator[InThread]:
        yield self.named[name]


async def step(thread: FakeThread) -> None:
    """Let the one call that a held thread has before it run, and let everybody react."""
    thread.release()
    thread.hold()
    await wait_all_tasks_blocked()
