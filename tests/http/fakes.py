"""A house without actors: its work is a gate that the test opens, its answer a value."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import trio

from asr.actors.messages import Unloaded
from asr.actors.metrics import Metrics
from asr.actors.queue import QueueStats
from asr.pipeline.engine import LoadedModel
from asr.pipeline.errors import InvalidRequest, TooLarge, UnknownModel
from asr.pipeline.models import ModelInfo, Origin
from asr.pipeline.names import OPENAI_NAMES
from asr.pipeline.types import Detected, Options, Progress, Segment, Transcript
from tests.fakes import Gate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from asr.actors.ear import Notify
    from asr.actors.house import House
    from asr.actors.watch import News, Watch


def segment(start_s: float, end_s: float, text: str) -> Segment:
    return Segment(
        start_s=start_s,
        end_s=end_s,
        text=text,
        tokens=(50364, 2425),
        window_start_s=0.0,
        temperature=0.0,
        avg_logprob=-0.25,
        no_speech_prob=0.01,
        compression_ratio=1.1,
    )


HELLO = Transcript(
    language="en",
    task="transcribe",
    duration_s=3.5,
    segments=(segment(0.0, 1.5, " Hello there,"), segment(1.5, 3.5, " general.")),
)


@dataclass
class FakeSpool:
    path: Path
    bytes_max: int
    free: trio.Event
    size: int = 0

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        await self.free.wait()
        self.size += len(data)
        if self.size > self.bytes_max:
            raise TooLarge("File too large", param="file")
        with self.path.open("ab") as file:
            file.write(data)

    async def finish(self) -> None:
        await trio.lowlevel.checkpoint()


@dataclass
class FakeReceiver(Gate):
    """Spools into a folder, one upload a file; ``hold()`` keeps the disk busy."""

    folder: Path
    max_bytes: int = 1_000_000
    uploads: int = 0
    declared: list[int | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    @asynccontextmanager
    async def open(
        self, *, declared_bytes: int | None = None, client: str
    ) -> AsyncIterator[FakeSpool]:
        self.declared.append(declared_bytes)
        if declared_bytes is not None and declared_bytes > self.max_bytes:
            raise TooLarge("File too large. Maximum content size limit", param="file")
        self.uploads += 1
        path = self.folder / f"{self.uploads}.spool"
        path.touch()
        try:
            yield FakeSpool(path, self.max_bytes, self._free)
        finally:
            path.unlink()


@dataclass
class FakeModels:
    names: tuple[str, ...] = ("base", "org/name")
    default: str = "base"

    def catalogue(self) -> tuple[ModelInfo, ...]:
        return tuple(map(self.describe, self.names))

    def describe(self, name: str) -> ModelInfo:
        here = name == "base"
        origin: Origin = "embedded" if here else "hub"
        return ModelInfo(name, origin, "", 147_000_000, on_disk=here)

    def resolve(self, name: str | None) -> str:
        if name is None or name in OPENAI_NAMES:
            return self.names[0]
        if name not in self.names:
            raise UnknownModel(name, self.names)
        return name


@dataclass
class FakeFetcher:
    """Has the files of a small web."""

    web: dict[str, bytes] = field(default_factory=dict)

    async def fetch(
        self, url: str, write: Callable[[bytes], Awaitable[None]], *, bytes_max: int
    ) -> str:
        if url not in self.web:
            raise InvalidRequest("This server fetches no urls", param="url")
        assert len(self.web[url]) <= bytes_max
        await write(self.web[url])
        return url.rpartition("/")[2]


def unheard(_progress: Progress) -> None:
    """Nobody listens."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the house heard: the bytes of the file, and the words beside it."""

    audio: bytes
    options: Options
    raw: bool


@dataclass
class FakeHouse(Gate):
    """Answers ``answer``, or raises it; ``hold()`` keeps every request busy until ``release()``.

    ``news`` are told before that, and ``standings`` to who watches.
    """

    receiver: FakeReceiver
    answer: Transcript | Exception = HELLO
    news: tuple[Progress, ...] = ()
    standings: tuple[News, ...] = ()
    detected: Detected = Detected("de", 0.98765)  # noqa: RUF009 - frozen
    refusal: Exception | None = None
    why_broken: str | None = None
    models: FakeModels = field(default_factory=FakeModels)
    fetcher: FakeFetcher = field(default_factory=FakeFetcher)
    metrics: Metrics = field(default_factory=Metrics)
    asked: list[Asked] = field(default_factory=list)
    loaded: list[str] = field(default_factory=lambda: ["base"])
    loads: list[tuple[str, str]] = field(default_factory=list)  # models, and who asked for them
    running: int = 0
    pause_s: float = 0.0  # after each of its news
    device: str = "cpu"
    compute_type: str = "float32"
    diarizes: bool = True
    degraded: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__init__()

    def queue_stats(self) -> QueueStats:
        return QueueStats(waiting=0, running=self.running, running_max=8, waiting_max=32)

    def loaded_models(self) -> tuple[LoadedModel, ...]:
        return tuple(LoadedModel(name, 145_000_000) for name in self.loaded)

    async def load(self, name: str, *, client: str) -> bool:
        self.loads.append((name, client))
        await self._work()
        if name in self.loaded:
            return False
        self.loaded.append(name)
        return True

    async def unload(self, name: str) -> Unloaded:
        await trio.lowlevel.checkpoint()
        if name not in self.loaded:
            return Unloaded.ABSENT
        if self.running:
            return Unloaded.IN_USE
        self.loaded.remove(name)
        return Unloaded.FREED

    def broken(self) -> str | None:
        return self.why_broken

    def refuse_if_full(self) -> None:
        if self.refusal:
            raise self.refusal

    async def transcribe(
        self,
        source: Path,
        options: Options,
        *,
        client: str = "",
        raw: bool = False,
        notify: Notify = unheard,
        live: bool = False,
        once_read: Callable[[], Awaitable[None]],
        watch: Watch | None = None,
    ) -> Transcript:
        audio = source.read_bytes()  # noqa: ASYNC240 - no threads beside the mock clock
        self.asked.append(Asked(audio, options, raw))
        await once_read()
        if watch:
            for standing in self.standings:
                watch(standing)
        for progress in self.news if live else ():
            notify(progress)
            with trio.move_on_after(self.pause_s):
                await trio.sleep_forever()
        await self._work()
        assert isinstance(self.answer, Transcript)
        return self.answer

    async def detect_language(
        self, source: Path, *, model: str, raw: bool, audio_track: int | None
    ) -> Detected:
        audio = source.read_bytes()  # noqa: ASYNC240 - no threads beside the mock clock
        self.asked.append(Asked(audio, Options(model, audio_track=audio_track), raw))
        await self._work()
        return self.detected

    async def _work(self) -> None:
        """Be busy for as long as the test wants; raises the answer that is none."""
        self.running += 1
        try:
            await self._free.wait()
        finally:
            self.running -= 1
        if isinstance(self.answer, Exception):
            raise self.answer


def as_house(fake: FakeHouse) -> House:
    """The fake in the eyes of the type checker."""
    return cast("House", fake)
