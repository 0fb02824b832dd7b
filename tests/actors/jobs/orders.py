"""A register with a queue in memory, and a house that says what it is told to."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from asr.actors.jobs.blobs import FolderBlobs
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.order import Order
from asr.actors.jobs.queue import Bounds
from asr.actors.jobs.register import Register
from asr.actors.jobs.settings import JobSettings
from asr.actors.metrics import Metrics
from asr.actors.stages.keep import NoKeep
from asr.actors.turns import Priority
from asr.actors.watch import RequestStanding as Stands
from asr.pipeline.types import Options, Progress, Segment, Transcript
from asr.pipeline.waveform import Waveform

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trio

    from asr.actors.house import House
    from asr.actors.jobs.queue import Standing

ORDER = Order(Options(language="en"), "base", name="talk.mp3", remarks=("nobody knows x",))


def segment(number: int) -> Segment:
    """One second of it."""
    return Segment(float(number), number + 1.0, f" word {number}", (), 0.0, 0.0, -0.1, 0.0, 1.0)


SAID = Transcript("en", "transcribe", 3.0, tuple(map(segment, range(3))))


def contents(file: Path) -> bytes:
    return file.read_bytes()


@dataclass
class FakeHouse:
    """Says three segments; ``troubles`` come first, one a call. Each waits for its gate."""

    troubles: list[Exception] = field(default_factory=list)
    gate: trio.Event | None = None
    metrics: Metrics = field(default_factory=Metrics)
    heard: list[bytes] = field(default_factory=list)
    jobs: list[str] = field(default_factory=list)

    async def transcribe(self, source: Path, options: Options, **more: object) -> Transcript:
        self.heard.append(contents(source))
        self.jobs.append(cast("str", more["job"]))
        watch, notify = more["watch"], more["notify"]
        assert callable(watch)
        assert callable(notify)
        watch(Stands("queued", 1))
        watch(Waveform(3.0, (1, 2)))
        notify(Progress(1.0, 3.0, SAID.segments[:1]))
        if self.troubles:
            raise self.troubles.pop(0)
        if self.gate is not None:
            await self.gate.wait()
        notify(Progress(3.0, 3.0, SAID.segments[1:]))
        watch(Stands("transcribing", None, 3.0, 3.0, 0.0))
        return SAID

    def as_house(self) -> House:
        return cast("House", self)


@asynccontextmanager
async def open_register(
    folder: Path, *, settings: JobSettings | None = None, client_max: int | None = None
) -> AsyncIterator[Register]:
    """Nobody works here yet."""
    settings = settings or JobSettings()
    bounds = Bounds(settings.waiting_max, client_max=client_max)
    async with open_local(bounds, None) as queue:
        blobs = FolderBlobs(folder / "audio", bytes_max=1000)
        yield Register(queue, blobs, NoKeep(), settings)


async def submit(
    register: Register,
    folder: Path,
    job_id: str = "a",
    text: str = "x",
    *,
    webhook: str | None = None,
    priority: Priority = Priority.BATCH,
) -> Standing:
    """A job about a file with that text in it."""
    file = folder / "upload"
    file.unlink(missing_ok=True)  # what is kept may be the same file by another name
    file.write_text(text)
    return await register.submit(
        file, ORDER, job_id=job_id, client="ann", priority=priority, webhook=webhook
    )


def audio(folder: Path) -> list[str]:
    """The texts of the files that are kept."""
    return sorted(file.read_text() for file in (folder / "audio").glob("*"))
