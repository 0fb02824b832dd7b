"""A whole house with fakes for all that is slow, and callers around it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, cast

from trio.testing import wait_all_tasks_blocked

from asr.actors.fetcher import Fetcher, UrlSettings
from asr.actors.house import House, Machine, open_house
from asr.actors.metrics import Metrics
from asr.actors.settings import HouseSettings
from asr.actors.tools import Tools
from asr.pipeline.errors import AsrError, UnknownModel
from asr.pipeline.speakers import SpeakerSettings
from asr.pipeline.types import Options
from tests.actors.fake_engine import Script
from tests.actors.fakes import FakeDecoder, FakeFinder, FakeThreads

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import trio
    from trio.testing import MockClock

    from asr.pipeline.models import ModelStore
    from tests.fakes import FakeThread

# Two requests run and one may wait; eviction is looked for each minute.
SETTINGS = HouseSettings(
    gpu_concurrency=2,
    max_queue_size=1,
    request_deadline_s=100,
    keep_alive_s=300,
    eviction_interval_s=60,
)

MACHINE = Machine("cpu", "float32")


class FakeStore:
    """Has one model."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def resolve(self, name: str | None) -> str:
        if name not in (None, "base"):
            raise UnknownModel(str(name))
        return "base"

    def find(self, _name: str) -> Path | None:
        return self._folder if self._folder.exists() else None

    def download(self, _name: str) -> Path:
        self._folder.mkdir(exist_ok=True)
        return self._folder


class Home:
    """What a house is made of in these tests, and what its callers heard."""

    house: House

    def __init__(self, folder: Path) -> None:
        self.script = Script()
        self.threads = FakeThreads()
        self.decoder = FakeDecoder()
        self.finder = FakeFinder()
        self.speakers = SpeakerSettings()
        self.metrics = Metrics()
        self.heard: dict[str, str] = {}
        self.folder = folder
        self.left = 0  # how often the engine's thread has made its last call

    def leave(self) -> None:
        self.left += 1

    @property
    def gpu(self) -> FakeThread:
        """The thread under the engine."""
        return self.threads.named["gpu"]

    @asynccontextmanager
    async def open(
        self, clock: MockClock, settings: HouseSettings = SETTINGS
    ) -> AsyncIterator[House]:
        async with open_house(
            settings,
            engine=self.script.engine,
            tools=Tools(lambda: self.finder),
            models=self.store(),
            metrics=self.metrics,
            machine=MACHINE,
            spool=self.folder / "spool",
            fetcher=Fetcher(UrlSettings()),
            speakers=self.speakers,
            threads=self.threads,
            read=self.decoder,
            leave_thread=self.leave,
        ) as self.house:
            # The librarian's errands run in lent threads, which no clock that jumps may see.
            await self.house.stations.librarian.fetch("base")
            clock.autojump_threshold = 0
            try:
                yield self.house
            finally:  # a test that fails with a thread held would hang here
                for thread in self.threads.named.values():
                    thread.release()

    def store(self) -> ModelStore:
        return cast("ModelStore", FakeStore(self.folder / "model"))

    async def ask(self, who: str) -> None:
        """Have a minute of speech transcribed; how that ended is put down when it has."""
        source = self.file(who)
        try:
            transcript = await self.house.transcribe(source, Options(language="en"), client=who)
            self.heard[who] = f"{transcript.duration_s:g} s"
        except AsrError as error:
            self.heard[who] = type(error).__name__

    async def come(self, nursery: trio.Nursery, *callers: str) -> None:
        """Have callers ask one after the other."""
        for who in callers:
            nursery.start_soon(self.ask, who)
            await wait_all_tasks_blocked()

    def file(self, name: str) -> Path:
        file = self.folder / name
        file.write_bytes(bytes(1000))
        return file

    def scratch_files(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("spool/*/*"))
