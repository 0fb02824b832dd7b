"""Two houses at one queue: one has a long file, the other may help."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import trio

from asr.actors.cluster.helper import ShareRunner
from asr.actors.cluster.shares import SLOTS, sharing
from asr.actors.jobs.blobs import FolderBlobs
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import Bounds, Stats
from asr.pipeline.types import Options, Progress
from tests.actors.cluster.town import times
from tests.actors.home import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from trio.testing import MockClock

    from asr.actors.house import House
    from asr.actors.jobs.local.queue import LocalQueue
    from asr.actors.jobs.queue import Leisure
    from asr.pipeline.types import Transcript

LONG_S = 1200.0
GERMAN = Options(language="de")
NOTHING_LEFT = Stats(waiting=0, running=0, waiting_max=100)


class Pair:
    """Their homes, their queue and their store."""

    queue: LocalQueue
    house: House

    def __init__(self, folder: Path) -> None:
        self.homes = (Home(folder / "one"), Home(folder / "two"))
        self.blobs = FolderBlobs(folder / "audio", bytes_max=1 << 30)
        self.folder = folder
        for home in self.homes:
            home.folder.mkdir()
            home.script.says = times
            home.decoder.seconds["long"] = LONG_S
        self.told: list[Progress] = []

    @asynccontextmanager
    async def open(self, clock: MockClock) -> AsyncIterator[None]:
        one, two = self.homes
        async with (
            open_local(Bounds(0, 100), None) as self.queue,
            one.open(clock) as house,
            two.open(clock),
        ):
            clock.autojump_threshold = inf
            clock.rate = 1.0
            self.house = sharing(house, self.queue, self.blobs, lambda _model: 1)
            yield

    @asynccontextmanager
    async def helping(
        self,
        runner: type[ShareRunner] = ShareRunner,
        leisure: Leisure = trio.lowlevel.checkpoint,
    ) -> AsyncIterator[None]:
        at = self.homes[1].house.stations
        handler = runner(at.gpu, at.librarian, self.blobs, at.receiver)
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(self.queue.work, handler, slots=SLOTS, leisure=leisure))
            yield
            nursery.cancel_scope.cancel()

    async def alone(self) -> Transcript:
        """What the helper says of the same file."""
        home = self.homes[1]
        return await home.house.transcribe(home.file("long"), GERMAN)

    async def transcribe(self) -> Transcript:
        home = self.homes[0]
        return await self.house.transcribe(home.file("long"), GERMAN, notify=self.told.append)

    async def helped(self, slots: int = SLOTS) -> None:
        """Return when the helper is at work with so many slots."""
        while (await self.queue.stats()).running < slots:
            await trio.lowlevel.checkpoint()

    async def left(self) -> tuple[Stats, int, list[str]]:
        """What is still to be done, and what still lies about."""
        files = [file for home in self.homes for file in home.scratch_files()]
        return await self.queue.stats(), await self.blobs.used_bytes(), files
