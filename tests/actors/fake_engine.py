"""An engine that decodes by a script."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr.pipeline.engine import LoadedModel, Memory, ModelFolder, Row, Said, SoFar
from asr.pipeline.errors import InvalidRequest, ModelUnavailable, NotEnoughMemory
from asr.pipeline.types import Decoding, Detected, Hypothesis, Window
from tests.actors.fakes import LOST, UNKNOWN, name, names, row_name, said, so_far

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

MODEL_BYTES = 100
ROOM_BYTES = 7  # what a row takes of the array memory


@dataclass
class Script:
    """What the engines of a test do, one after the other, and the record of what they were asked.

    ``turns`` says how many calls of advance a row takes. A fault is raised by the call of that name
    once for each time that it is listed, by whichever engine is there then. ``poison`` are windows
    that crash whatever looks at them. ``has_room_for`` rows join at most, and ``tears_at`` so many
    rows in the batch, or windows whose language is detected, memory runs out.
    """

    rows_max: int = 4
    has_room_for: int = 1000
    tears_at: int = 1000
    poison: frozenset[str] = frozenset()
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
        self._batch: dict[Row, int] = {}  # calls of advance that it has had
        self._batch_model = ""
        self._torn = False  # memory ran out, and nobody has cleared up yet

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

    def detect(self, model: ModelFolder, windows: Sequence[Window]) -> tuple[Detected, ...]:
        assert windows, "nothing to hear"
        self.load(model)
        self._compute("detect", " ".join(map(name, windows)), windows, at_once=len(windows))
        return (Detected(self._script.speaks, 0.9),) * len(windows)

    def check(self, model: ModelFolder, decoding: Decoding) -> None:
        self.load(model)
        if decoding.language == UNKNOWN.language:
            raise InvalidRequest("language: this model does not know 'xx'", param="language")

    def admit(self, model: ModelFolder, rows: Sequence[Row]) -> int:
        assert rows, "nobody joins"
        assert len(self._batch) + len(rows) <= self.rows_max, "no room in the batch"
        assert not self._batch or model.name == self._batch_model, "another model's batch"
        assert model.name in self._models, "not checked"
        free = max(self._script.has_room_for - len(self._batch), 0 if self._batch else 1)
        joining = rows[:free]
        self._compute("admit", names(joining), [row.window for row in joining])
        self._script.admitted += joining
        self._batch_model = model.name
        self._batch |= dict.fromkeys(joining, 0)
        return len(joining)

    def advance(self) -> Said:
        if self._batch:
            windows = [row.window for row in self._batch]
            self._compute("advance", names(self._batch), windows, at_once=len(windows))
        tokens = len(self._batch)
        self._batch = {row: had + 1 for row, had in self._batch.items()}
        ended = [row for row, had in self._batch.items() if had >= self._script.turns(row)]
        for row in ended:
            del self._batch[row]
        return Said(tokens, tuple((row, self._script.says(row)) for row in ended))

    def growing(self, rows: Sequence[Row]) -> tuple[SoFar, ...]:
        """One word a turn, and no piece is closed before the end."""
        assert rows, "nobody asks"
        return tuple(so_far(row, " word" * self._batch[row]) for row in rows)

    def drop(self, rows: Sequence[Row]) -> None:
        if rows:
            self._script.ask("drop", " ".join(sorted(map(row_name, rows))))
        self._batch = {row: had for row, had in self._batch.items() if row not in rows}

    def reset(self) -> None:
        self._script.ask("reset", names(self._batch))
        self._batch, self._torn = {}, False

    def memory(self) -> Memory:
        active = len(self._models) * MODEL_BYTES + len(self._batch) * ROOM_BYTES
        return Memory(active, 0, active)

    def _compute(self, call: str, what: str, windows: Iterable[Window], at_once: int = 0) -> None:
        """As the real one: a file that is gone is FileNotFoundError, until its row has joined."""
        assert not self._torn, "memory ran out, and there was no reset"
        try:
            self._script.ask(call, what)
            if at_once >= self._script.tears_at:
                raise NotEnoughMemory
        except NotEnoughMemory:
            self._torn = True
            raise
        if not self._script.poison.isdisjoint(map(name, windows)):
            raise RuntimeError("poison")
        for window in windows:
            if self._script.reads_files and call != "advance":
                window.audio.path.stat()
