"""A front and a worker in one process: a real queue between them, a house with fakes behind."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import trio

from asr.actors.cluster.front import open_receiver, open_remote
from asr.actors.cluster.worker import Handlers, HeldRunner, InHand, on_the_roster, standing_of
from asr.actors.fetcher import Fetcher, UrlSettings
from asr.actors.jobs.blobs import FolderBlobs
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import Bounds
from asr.actors.metrics import Metrics
from asr.actors.stages.keep import NO_KEEP
from tests.actors.fakes import said
from tests.actors.home import SETTINGS, Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection
    from pathlib import Path

    from trio.testing import MockClock

    from asr.actors.cluster.remote import RemoteHouse
    from asr.actors.jobs.queue import JobQueue, Run
    from asr.actors.jobs.redis.roster import WorkerProcess
    from asr.pipeline.engine import Row
    from asr.pipeline.types import Hypothesis


def times(row: Row) -> Hypothesis:
    """A hypothesis that says when it begins."""
    return said(row, text=f" {row.window.start_s:g}")


class Noticeboard:
    """A roster on which nobody is ever thought dead."""

    def __init__(self) -> None:
        self.there: dict[str, WorkerProcess] = {}

    async def beat(self, worker: WorkerProcess) -> None:
        self.there[worker.name] = worker

    async def workers(self) -> tuple[WorkerProcess, ...]:
        return tuple(self.there.values())

    async def leave(self, name: str) -> None:
        self.there.pop(name, None)


async def no_durable_jobs(run: Run, /) -> bytes:
    raise AssertionError(run.job)


class Town:
    """A front, the queue, and a house that works for it."""

    house: RemoteHouse
    queue: JobQueue

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder / "home")
        self.home.script.says = times  # and not names of files, which are others in each house
        self.roster = Noticeboard()
        self.folder = folder
        self.blobs = FolderBlobs(folder / "audio", bytes_max=1_000_000)
        (folder / "home").mkdir()

    @asynccontextmanager
    async def open(
        self, clock: MockClock, *, lanes: Collection[str] | None = None
    ) -> AsyncIterator[RemoteHouse]:
        async with (
            open_local(Bounds(), None) as self.queue,
            self.home.open(clock) as worker,
            open_receiver(SETTINGS, self.folder / "spool") as receiver,
        ):
            clock.autojump_threshold = inf  # the blobs' threads take real time
            clock.rate = 1.0
            in_hand = InHand()
            handlers = Handlers(HeldRunner(worker, self.blobs, "w1"), no_durable_jobs, in_hand)
            standing = partial(standing_of, worker, in_hand, name="w1", slots=2, lanes=lanes)
            async with (
                on_the_roster(self.roster, standing, lease_s=15),
                trio.open_nursery() as nursery,
                open_remote(
                    SETTINGS,
                    queue=self.queue,
                    roster=self.roster,
                    blobs=self.blobs,
                    keep=NO_KEEP,
                    receiver=receiver,
                    fetcher=Fetcher(UrlSettings()),
                    metrics=Metrics(),
                    stores=dict.fromkeys((False, True), self.home.store()),
                ) as self.house,
            ):
                await nursery.start(partial(self.queue.work, handlers, slots=2, lanes=lanes))
                yield self.house
                nursery.cancel_scope.cancel()
