"""A house without actors: it transcribes by a table, in the order that a test picks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import trio

from asr.actors.house import House
from asr.pipeline.errors import UnknownModel
from asr.pipeline.types import Options, Progress, Segment, Transcript


def said(text: str, *, warnings: tuple[str, ...] = ()) -> Transcript:
    """A transcript of one second with one segment."""
    segment = Segment(0.0, 1.0, " " + text, (), 0.0, 0.0, -0.1, 0.0, 1.0)
    return Transcript("en", "transcribe", 1.0, (segment,), warnings)


@dataclass(frozen=True, slots=True)
class FakeModels:
    """Knows one model."""

    preload: str | None = "base"
    default: str = "base"

    def resolve(self, name: str | None) -> str:
        if name not in (None, "base"):
            raise UnknownModel(str(name))
        return "base"


@dataclass(slots=True)
class FakeHouse:
    """Answers by file name; a name in ``gates`` waits until its event is set."""

    answers: dict[str, Transcript | Exception] = field(default_factory=dict)
    gates: dict[str, trio.Event] = field(default_factory=dict)
    preloading: trio.Event | None = None
    fault: str | None = None
    hung: bool = False
    broke: trio.Event = field(default_factory=trio.Event)
    models: FakeModels = FakeModels()
    device: str = "cpu"
    compute_type: str = "float32"
    events: list[str] = field(default_factory=list)
    asked: list[Options] = field(default_factory=list)
    news: dict[str, Progress] = field(default_factory=dict)
    live: bool = False

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[House]:
        self.events.append("open")
        try:
            yield cast("House", self)
        finally:
            self.events.append("closed")

    def broken(self) -> str | None:
        return self.fault

    async def wait_broken(self) -> None:
        await self.broke.wait()

    def break_down(self, *, hung: bool = False) -> None:
        self.fault = "the gpu actor is down for good"
        self.hung = hung
        self.broke.set()

    async def preload(self, name: str) -> None:
        self.events.append(f"preload {name}")
        if self.preloading is not None:
            await self.preloading.wait()

    async def transcribe(
        self,
        path: Path,
        options: Options,
        *,
        notify: Callable[[Progress], None],
        live: bool = False,
    ) -> Transcript:
        self.events.append(f"start {path.name}")
        self.asked.append(options)
        self.live = live
        notify(self.news.get(path.name, Progress(0.5, 1.0)))
        if path.name in self.gates:
            await self.gates[path.name].wait()
        self.events.append(f"end {path.name}")
        answer = self.answers[path.name]
        if isinstance(answer, Exception):
            raise answer
        return answer
