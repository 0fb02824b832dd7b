"""Callers in line before an engine that is nothing but a list of rows."""

from collections.abc import Callable
from dataclasses import dataclass, field

from asr.actors.request import Detection, Heard, Request
from asr.actors.turns import Priority
from asr.actors.waiting import Waiting
from asr.pipeline.engine import Growing, ModelFolder, Row
from asr.pipeline.errors import AsrError
from asr.pipeline.types import Decoding, Detected, Hypothesis, Window
from tests.actors.fakes import BASE, name, names, said, windows

LADDER = Decoding("en", temperatures=(0.0, 0.2, 0.4))


@dataclass(eq=False)
class Caller:
    """Has room for what is promised, and hears nothing after the end."""

    model: ModelFolder
    windows: tuple[Window, ...]
    heard: list[str] = field(default_factory=list)
    grown: list[str] = field(default_factory=list)
    parts: str = ""  # of the text that grew last
    closed: bool = False
    abandoned: bool = False
    read: bool = True

    def send(self, answer: Heard | Growing | Detected | AsrError) -> None:
        assert not self.closed
        assert len(self.heard) < len(self.windows)
        match answer:
            case Growing():
                self.grown.append(f"{name(answer.window)}:{answer.text}")
                self.parts = "+".join(name(part.window) for part in answer.parts)
            case Detected():
                self.heard.append(answer.language)
            case AsrError():
                self.heard.append(type(answer).__name__)
            case _:
                self.heard.append("+".join(name(part.window) for part in answer))

    def close(self) -> None:
        self.closed = True

    def names(self) -> list[str]:
        return [name(window) for window in self.windows]

    @property
    def answered(self) -> bool:
        """In full, each window once."""
        return [each.split("+")[0] for each in self.heard] in (self.names(), ["de"])


def halfway(row: Row) -> Hypothesis:
    """The model leaves the window in the middle."""
    return said(row, until_s=(row.window.start_s + row.window.end_s) / 2)


def repetitive(row: Row) -> Hypothesis:
    """What is worth another try."""
    return said(row, compression_ratio=3.0)


class Line:
    """Those who wait, and the rows that the engine has in its batch."""

    def __init__(self, rows_max: int) -> None:
        self.waiting = Waiting()
        self.waiting.begin(rows_max)
        self.callers: list[Caller] = []
        self.batch: list[Row] = []
        self.now_s = 1000.0

    def come(
        self,
        who: str,
        count: int = 1,
        model: ModelFolder = BASE,
        priority: Priority = Priority.INTERACTIVE,
        *,
        grows: bool = False,
    ) -> Caller:
        caller = Caller(model, windows(who, count))
        self.callers.append(caller)
        request = Request(model, caller.windows, LADDER, caller, priority=priority, grows=grows)
        self.waiting.add(request, now_s=self.now_s)
        return caller

    def ask(self, who: str, model: ModelFolder = BASE) -> Caller:
        """Somebody wants a language detected."""
        caller = Caller(model, windows(who, 1))
        self.callers.append(caller)
        self.waiting.ask(Detection(model, caller.windows[0], caller))
        return caller

    def detecting(self) -> str:
        """The windows whose language the engine is to detect now."""
        return " ".join(name(each.window) for each in self.waiting.next_detections())

    def detect(self) -> str:
        """The engine detects what it is to."""
        asked = self.waiting.next_detections()
        for each in asked:
            self.waiting.detected(each, Detected("de", 0.9))
        return " ".join(name(each.window) for each in asked)

    def join(self, room_for: int = 1000) -> str:
        """The names of the rows that join now, of which memory has room for some."""
        rows = self.waiting.next_rows(now_s=self.now_s)
        room_for = max(room_for, 0 if self.batch else 1)
        self.waiting.left_out(rows[room_for:])
        self.batch += rows[:room_for]
        return names(rows[:room_for])

    def forget(self) -> str:
        """The names of the rows that leave now."""
        rows = self.waiting.forget_abandoned()
        assert set(rows) <= set(self.batch)
        self.batch = [row for row in self.batch if row not in rows]
        return names(sorted(rows, key=lambda row: row.window.start_s))

    def end(self, which: int = 0, says: Callable[[Row], Hypothesis] = said) -> None:
        row = self.batch.pop(which)
        self.waiting.finish(row, says(row))

    def end_all(self, says: Callable[[Row], Hypothesis] = said) -> None:
        while self.batch:
            self.end(says=says)

    def run_out(self) -> None:
        """The engine runs out of memory."""
        self.waiting.out_of_memory()
        self.batch.clear()

    def crash(self, rows_max: int) -> int:
        """The engine crashes, and a new one takes its place; how many crashes that explains."""
        verdict = self.waiting.crashed()
        self.waiting.begin(rows_max)
        self.batch.clear()
        return verdict.explained

    def owner(self, row: Row) -> Caller:
        return next(c for c in self.callers if c.windows[0].audio == row.window.audio)
