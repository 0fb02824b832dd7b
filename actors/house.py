"""The house: opens all actors, and is what the front desk and the terminal talk to."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import TYPE_CHECKING

import trio

from asr.actors.aligner import Aligner
from asr.actors.detector import detect_language
from asr.actors.diarizer import Diarizer
from asr.actors.ffmpeg import decode, find_ffmpeg
from asr.actors.gauges import metered, show
from asr.actors.gpu import open_gpu
from asr.actors.gpu_actor import run_gpu
from asr.actors.keeper import Health
from asr.actors.keeper import keep as keep_at_work
from asr.actors.librarian import run_librarian
from asr.actors.listener import Listener
from asr.actors.queue import Queue, QueueStats, run_queue
from asr.actors.receiver import Receiver, limits, run_receiver
from asr.actors.stages.cache import Cache
from asr.actors.stages.keep import NO_KEEP, Keep
from asr.actors.sweeper import sweeping
from asr.actors.thread import InThread, left_at_the_end, open_thread
from asr.actors.tools import Employer, Tools
from asr.actors.transcriber import Read, Stations, nothing_to_do, transcribe
from asr.actors.turns import Priority
from asr.actors.watch import Watcher
from asr.pipeline.audio import Wanted
from asr.pipeline.engine import Engine, LoadedModel, ModelFolder
from asr.pipeline.errors import AsrError, DeadlineExceeded

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from asr.actors.ear import Notify
    from asr.actors.fetcher import Fetcher
    from asr.actors.messages import Unloaded
    from asr.actors.metrics import Metrics
    from asr.actors.settings import HouseSettings
    from asr.actors.watch import Watch
    from asr.pipeline.device import Device
    from asr.pipeline.models import ModelStore
    from asr.pipeline.speakers import SpeakerSettings
    from asr.pipeline.types import Detected, Options, Progress, Transcript

# Languages that are told at once; who comes later waits a moment, as many as uploads there may be.
DETECTIONS_MAX = 4


@dataclass(frozen=True, slots=True)
class Machine:
    """What the arrays run on, in words for people."""

    device: Device
    compute_type: str


def unheard(_progress: Progress) -> None:
    """Nobody wants to know how far a request is."""


@dataclass(frozen=True, slots=True)
class House:
    """The addresses of all actors, and what can be asked of them together."""

    settings: HouseSettings
    machine: Machine
    metrics: Metrics
    models: ModelStore
    queue: Queue
    stations: Stations
    health: Health
    nursery: trio.Nursery
    detections: trio.CapacityLimiter = field(
        default_factory=partial(trio.CapacityLimiter, DETECTIONS_MAX)
    )

    @property
    def receiver(self) -> Receiver:
        return self.stations.receiver

    @property
    def fetcher(self) -> Fetcher:
        return self.stations.fetcher

    @property
    def device(self) -> str:
        return self.machine.device

    @property
    def compute_type(self) -> str:
        return self.machine.compute_type

    @property
    def diarizes(self) -> bool:
        """Whether speakers can be told apart here."""
        return self.stations.diarizer is not None

    def queue_stats(self) -> QueueStats:
        return self.queue.stats()

    def loaded_models(self) -> tuple[LoadedModel, ...]:
        return self.stations.gpu.board.loaded

    def broken(self) -> str | None:
        """Which actor is down for good, if one is."""
        return self.health.fault

    @property
    def hung(self) -> bool:
        """Whether it is broken because a thread hangs."""
        return self.health.hung

    @property
    def degraded(self) -> tuple[str, ...]:
        """Which actors it goes on without."""
        return self.health.degraded

    async def wait_broken(self) -> None:
        """Return when an actor is down for good: then the house can only be left."""
        await self.health.broken.wait()

    def refuse_if_full(self) -> None:
        """Raise Busy if no request could be accepted now."""
        self.queue.refuse_if_full()

    async def preload(self, name: str) -> None:
        """Have a model in memory; then, without waiting for it, what finds speech and speakers.

        Raises ModelUnavailable.
        """
        await self._bring(name)
        self.nursery.start_soon(self._warm)

    async def load(self, name: str, *, client: str = "") -> bool:
        """Have a model in memory, in its turn like any request; whether it was not there before.

        Raises every kind of AsrError.
        """
        deadline_s = self.settings.request_deadline_s
        with trio.move_on_after(deadline_s):
            async with self.queue.place(client=client):
                there = name in {model.name for model in self.loaded_models()}
                await self._bring(name)
                return not there
        raise DeadlineExceeded(deadline_s)

    async def unload(self, name: str) -> Unloaded:
        """Free a model, unless it is in use. Raises Busy or EngineRestarted."""
        return await self.stations.gpu.unload(name)

    async def _bring(self, name: str) -> None:
        folder = await self.stations.librarian.fetch(name)
        await self.stations.gpu.load(ModelFolder(name, folder))

    async def _warm(self) -> None:
        listener, diarizer = self.stations.listener, self.stations.diarizer
        for warm in (listener.warm, diarizer.warm if diarizer else trio.lowlevel.checkpoint):
            with suppress(AsrError):  # a crash was logged; the first request loads it then
                await warm()

    async def transcribe(
        self,
        source: Path,
        options: Options,
        *,
        client: str = "",
        raw: bool = False,
        priority: Priority = Priority.INTERACTIVE,
        notify: Notify = unheard,
        live: bool = False,
        once_read: Callable[[], Awaitable[None]] = nothing_to_do,
        watch: Watch | None = None,
        job: str = "",
    ) -> Transcript:
        """The transcript of a file, when its turn has come. Raises every kind of AsrError.

        ``once_read`` is called when the file is not needed any more; ``live`` has ``notify`` told
        segments before their window is at its end. ``watch`` is told how the request gets on. A
        ``job`` has waited elsewhere, where its time is bounded, too; its work is kept for it.
        """
        model = self.models.resolve(options.model)
        deadline_s = inf if job else self.settings.request_deadline_s
        watcher = Watcher(watch, notify) if watch else None
        wait = watcher.wait if watcher else None
        with trio.move_on_after(deadline_s):
            line = partial(self.queue.place, client=client, priority=priority, watch=wait)
            async with line(kept=bool(job)) as place:
                self.metrics.queue_wait(place.waited_s)
                if watcher:
                    watcher.read()
                return await transcribe(
                    source,
                    options,
                    model=model,
                    raw=raw,
                    stations=self.stations,
                    notify=watcher.hear if watcher else notify,
                    live=live,
                    once_read=once_read,
                    priority=priority,
                    watcher=watcher,
                    job=job,
                )
        raise DeadlineExceeded(deadline_s)

    async def detect_language(
        self,
        source: Path,
        *,
        model: str | None = None,
        raw: bool = False,
        audio_track: int | None = None,
    ) -> Detected:
        """The language spoken at a file's beginning, told ahead of whatever waits to be decoded.

        Raises every kind of AsrError.
        """
        wanted = Wanted(raw=raw, audio_track=audio_track)
        name = self.models.resolve(model)
        deadline_s = self.settings.request_deadline_s
        with trio.move_on_after(deadline_s):
            async with self.detections:
                return await detect_language(
                    source, model=name, wanted=wanted, stations=self.stations
                )
        raise DeadlineExceeded(deadline_s)


@asynccontextmanager
async def open_house(
    settings: HouseSettings,
    *,
    engine: Callable[[], Engine],
    tools: Tools,
    models: ModelStore,
    metrics: Metrics,
    machine: Machine,
    spool: Path,
    fetcher: Fetcher,
    speakers: SpeakerSettings,
    threads: Callable[[str], AbstractAsyncContextManager[InThread]] | None = None,
    read: Read | None = None,
    leave_thread: Callable[[], None] = lambda: None,
    return_freed: Callable[[], Awaitable[object]] = trio.lowlevel.checkpoint,
    keep: Keep = NO_KEEP,
) -> AsyncIterator[House]:
    """All actors at work for as long as the context lasts; leaving stops them. Raises NoFfmpeg.

    ``leave_thread`` ends the engine's thread, ``return_freed`` each sweep; ``read`` is ffmpeg's.
    """
    health = Health()
    threads = metered(threads or partial(open_thread, patience_s=settings.hang_s), metrics)
    async with (
        left_at_the_end(threads("gpu"), leave_thread) as gpu_thread,
        threads("listener") as listening,
        threads("diarizer") as diarizing,
        threads("aligner") as aligning,
        trio.open_nursery() as nursery,
    ):
        running_max = settings.running_max(machine.device)
        start = partial(keep_at_work, nursery=nursery, health=health, metrics=metrics)
        line = partial(run_queue, running_max=running_max, waiting_max=settings.max_queue_size)
        queue: Queue = await nursery.start(partial(line, client_max=settings.client_max))
        gpu, intake = open_gpu()
        run = partial(run_gpu, intake, engine, gpu_thread, gpu.board, metrics)
        await start("gpu", run, refuse=intake.close)
        employer = Employer(start, mail_max=running_max + 2)
        listener = await employer.employ("listener", Listener, tools.finder, listening)
        diarizer = await employer.employ_if("diarizer", Diarizer, tools.diarizer, diarizing)
        aligner = await employer.employ_if("aligner", Aligner, tools.aligner, aligning)
        await nursery.start(sweeping(settings, return_freed), (gpu, listener, diarizer, aligner))
        stations = Stations(
            read=read or partial(decode, ffmpeg=find_ffmpeg(), seconds_max=settings.audio_max_s),
            fetcher=fetcher,
            receiver=await nursery.start(run_receiver, spool, limits(settings)),
            listener=listener,
            librarian=await nursery.start(run_librarian, models.find, models.download),
            letters=await nursery.start(run_librarian, tools.find_letters, tools.fetch_letters),
            gpu=gpu,
            metrics=metrics,
            speakers=speakers,
            diarizer=diarizer,
            aligner=aligner,
            cache=Cache(keep, tools.networks, machine.compute_type, gpu.board.names),
        )
        show(stations, queue, health, spool=spool)
        yield House(settings, machine, metrics, models, queue, stations, health, nursery)
        nursery.cancel_scope.cancel()
