"""An engine that decodes by a table, and what goes with it in the actors' tests."""

from __future__ import annotations

from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import trio
from trio.testing import wait_all_tasks_blocked

from asr.pipeline.audio import SAMPLE_RATE, Audio
from asr.pipeline.engine import LoadedModel, Memory, ModelFolder, Row
from asr.pipeline.errors import InvalidRequest, ModelUnavailable
from asr.pipeline.types import Decoding, Detected, Hypothesis, Piece, Span, Window
from tests.fakes import FakeThread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from asr.actors.thread import InThread

WINDOW_S = 30.0
MODEL_BYTES = 100
ROOM_BYTES = 7  # what a row takes of the array memory

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


@dataclass
class Script:
    """What the engines of a test do, one after the other, and the record of what they were asked.

    ``turns`` says how many calls of advance a row takes. A fault is raised by the call of that name
    once for each time that it is listed, by whichever engine is there then.
    """

    rows_max: int = 4
    says: Callable[[Row], Hypothesis] = said
    turns: Callable[[Row], int] = lambda _: 1
    speaks: str = "de"
    reads_files: bool = False
    faults: defaultdict[str, list[Exception]] = field(default_factory=lambda: defaultdict(list))
    record: list[str] = field(default_factory=list)
    admitted: list[Row] = field(default_factory=list)
    made: int = 0

    def engine(self) -> FakeEngine:
        self.made += 1
        if self.faults["make"]:
            raise self.faults["make"].pop(0)
        return FakeEngine(self)

    def ask(self, call: str, what: str) -> None:
        """Note what was asked, and raise the fault that is due."""
        self.record.append(f"{call} {what}")
        if self.faults[call]:
            raise self.faults[call].pop(0)


class FakeEngine:
    """Keeps what the protocol promises, and fails whoever does not keep what it demands."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._models: dict[str, LoadedModel] = {}
        self._batch: dict[Row, int] = {}  # calls of advance that are left
        self._batch_model = ""

    @property
    def rows_max(self) -> int:
        return self._script.rows_max

    def load(self, model: ModelFolder) -> None:
        loaded = self._models.pop(model.name, None)
        if loaded is None:
            self._script.ask("load", model.name)
        if model == LOST:
            raise ModelUnavailable("The model 'lost' cannot be had at the moment")
        self._models[model.name] = loaded or LoadedModel(model.name, MODEL_BYTES)

    def unload(self, name: str) -> None:
        self._script.ask("unload", name)
        assert name != self._batch_model or not self._batch, "rows are on it"
        del self._models[name]

    def loaded(self) -> tuple[LoadedModel, ...]:
        return tuple(self._models.values())

    def detect(self, model: ModelFolder, window: Window) -> Detected:
        self.load(model)
        self._script.ask("detect", name(window))
        self._read([window])
        return Detected(self._script.speaks, 0.9)

    def check(self, model: ModelFolder, decoding: Decoding) -> None:
        self.load(model)
        if decoding.language == UNKNOWN.language:
            raise InvalidRequest("This model does not know the language 'xx'", param="language")

    def admit(self, model: ModelFolder, rows: Sequence[Row]) -> None:
        assert rows, "nobody joins"
        assert len(self._batch) + len(rows) <= self.rows_max, "no room in the batch"
        assert not self._batch or model.name == self._batch_model, "another model's batch"
        assert model.name in self._models, "not checked"
        self._script.ask("admit", names(rows))
        self._read([row.window for row in rows])
        self._script.admitted += rows
        self._batch_model = model.name
        self._batch |= {row: self._script.turns(row) for row in rows}

    def advance(self) -> tuple[tuple[Row, Hypothesis], ...]:
        if self._batch:
            self._script.ask("advance", names(self._batch))
        self._batch = {row: left - 1 for row, left in self._batch.items()}
        ended = [row for row, left in self._batch.items() if left == 0]
        self._batch = {row: left for row, left in self._batch.items() if left}
        return tuple((row, self._script.says(row)) for row in ended)

    def drop(self, rows: Sequence[Row]) -> None:
        if rows:
            self._script.ask("drop", " ".join(sorted(map(row_name, rows))))
        self._batch = {row: left for row, left in self._batch.items() if row not in rows}

    def memory(self) -> Memory:
        active = len(self._models) * MODEL_BYTES + len(self._batch) * ROOM_BYTES
        return Memory(active, 0, active)

    def _read(self, windows: Iterable[Window]) -> None:
        """As the real one: a file that is gone is FileNotFoundError, before any row joins."""
        for window in windows:
            if self._script.reads_files:
                window.audio.path.stat()


@dataclass
class FakeDecoder:
    """Stands in for ffmpeg: a minute of samples, unless the table says otherwise of the source."""

    seconds: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[str, bool]] = field(default_factory=list)  # the source, and whether it is raw

    async def __call__(
        self, source: Path, target: Path, *, raw: bool, check: Callable[[], None]
    ) -> Audio:
        await trio.lowlevel.checkpoint()
        self.asked.append((source.name, raw))
        check()
        target.touch()  # noqa: ASYNC240 - no threads beside the mock clock
        return Audio(target, round(self.seconds.get(source.name, 60.0) * SAMPLE_RATE))


@dataclass
class FakeFinder:
    """Hears an audio in one block; all of it is speech, unless the table says otherwise."""

    table: dict[float, tuple[Span, ...]] = field(default_factory=dict)  # by length of the audio
    faults: list[Exception] = field(default_factory=list)

    def load(self) -> None:
        if self.faults:
            raise self.faults.pop(0)

    def scan(self, audio: Audio, /) -> FakeScan:
        return FakeScan(self, audio)


@dataclass
class FakeScan:
    finder: FakeFinder
    audio: Audio
    done: bool = False

    def advance(self) -> None:
        self.done = True

    def spans(self) -> tuple[Span, ...]:
        length_s = self.audio.duration_s
        return self.finder.table.get(length_s, (Span(0.0, length_s),))


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
