"""A house whose work is done by others: what a front asks, it asks of the queue.

To who asks it is a house like any: the same answers, the same news on the way, the same errors.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.cluster.errand import Errand
from asr.actors.cluster.held import Held, Listener
from asr.actors.house import unheard
from asr.actors.jobs.queue import QueueUnavailable
from asr.actors.queue import QueueStats
from asr.actors.trail import note, went
from asr.actors.transcriber import nothing_to_do
from asr.actors.turns import Priority
from asr.pipeline.engine import LoadedModel
from asr.pipeline.errors import (
    Busy,
    DeadlineExceeded,
    InvalidRequest,
    ModelUnavailable,
)
from asr.pipeline.records import load_detected, load_transcript
from asr.pipeline.types import Options

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from pathlib import Path

    from asr.actors.cluster.errand import Forget
    from asr.actors.cluster.view import View
    from asr.actors.ear import Notify
    from asr.actors.fetcher import Fetcher
    from asr.actors.house import House
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.queue import JobQueue
    from asr.actors.messages import Unloaded
    from asr.actors.metrics import Metrics
    from asr.actors.receiver import Receiver
    from asr.actors.stages.keep import Keep
    from asr.actors.watch import Watch
    from asr.pipeline.models import ModelStore
    from asr.pipeline.types import Detected, Transcript

    Stores = Mapping[bool, ModelStore]  # whether some worker has better than a CPU


@dataclass(frozen=True, slots=True)
class RemoteHouse:
    """The addresses that a front has itself, and its way to the workers. See ``House``.

    As many as ``waiting_max`` requests may wait, beside jobs that outlive who asks. ``stores`` know
    models by name: for workers on CPUs, and for those with something better. What could not be
    taken back when a request ended is sent to ``later``. A process that works as well has a house
    of its ``own``, and a name as a ``worker``: without that house it cannot go on, and both count
    in the same metrics.
    """

    deadline_s: float
    waiting_max: int
    metrics: Metrics
    receiver: Receiver
    fetcher: Fetcher
    queue: JobQueue
    blobs: Blobs
    keep: Keep
    view: View
    stores: Stores
    later: trio.MemorySendChannel[Forget]
    own: House | None = None
    worker: str = ""

    @property
    def models(self) -> ModelStore:
        """What names mean: the default model depends on what there is to run it."""
        return self.stores[self.view.accelerated]

    @property
    def device(self) -> str:
        """What the workers run on."""
        return self.view.device

    @property
    def compute_type(self) -> str:
        """The precision that they compute in."""
        return self.view.compute_type

    @property
    def diarizes(self) -> bool:
        """A worker that cannot says so in its answer."""
        return True

    def queue_stats(self) -> QueueStats:
        """Of the whole, as of a second ago."""
        stats = self.view.stats
        return QueueStats(stats.waiting, stats.running, self.view.slots, stats.waiting_max)

    def loaded_models(self) -> tuple[LoadedModel, ...]:
        """Those in some worker's memory."""
        names = sorted({name for worker in self.view.workers for name in worker.loaded})
        return tuple(LoadedModel(name, 0) for name in names)

    def broken(self) -> str | None:
        """Which actor of its own is down for good, if one is."""
        return self.own.broken() if self.own else None

    @property
    def hung(self) -> bool:
        """Whether it is broken because a thread hangs."""
        return self.own is not None and self.own.hung

    @property
    def degraded(self) -> tuple[str, ...]:
        """What is missing at the moment: the queue's server, or anybody who works."""
        if not self.view.reachable:
            return ("queue",)
        if not self.view.workers:
            return ("workers",)
        return self.own.degraded if self.own else ()

    async def wait_broken(self) -> None:
        """Return when an actor of its own is down for good."""
        if self.own:
            await self.own.wait_broken()
        else:
            await trio.sleep_forever()

    def refuse_if_full(self) -> None:
        """Raise Busy if nothing could be accepted now, as far as is known."""
        if not self.view.reachable:
            raise QueueUnavailable
        if self.view.stats.held >= self.waiting_max:
            raise Busy("The server is busy: every place in the queue is taken", retry_after_s=10.0)

    async def preload(self, name: str) -> None:
        """Have a model in the memory of this process, if it works; others see to theirs."""
        if self.own:
            await self.own.preload(name)

    async def load(self, name: str, *, client: str = "") -> bool:
        """Have a model in some worker's memory. Raises every kind of AsrError."""
        there = name in {model.name for model in self.loaded_models()}
        await self._asked(Held("load", name), None, client=client)
        return not there

    async def unload(self, name: str) -> Unloaded:
        """Workers free models by themselves. Raises InvalidRequest."""
        raise InvalidRequest(
            f"The model {name!r} is in the memory of workers, which free it when it idles"
        )

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
    ) -> Transcript:
        """The transcript of a file: see ``House.transcribe``. Leaving takes the job back."""
        model = self.models.resolve(options.model)
        held = Held(
            "transcript", model, options=options, raw=raw, live=live, watched=watch is not None
        )
        ask = partial(self._asked, client=client, priority=priority, once_read=once_read)
        result = await ask(held, source, notify=notify, watch=watch)
        return await trio.to_thread.run_sync(load_transcript, result)

    async def detect_language(
        self,
        source: Path,
        *,
        model: str | None = None,
        raw: bool = False,
        audio_track: int | None = None,
    ) -> Detected:
        """The language spoken at a file's beginning: see ``House.detect_language``."""
        options = Options(audio_track=audio_track)
        held = Held("language", self.models.resolve(model), options=options, raw=raw)
        return load_detected(await self._asked(held, source))

    async def _asked(
        self,
        held: Held,
        source: Path | None,
        *,
        client: str = "",
        priority: Priority = Priority.INTERACTIVE,
        notify: Notify = unheard,
        watch: Watch | None = None,
        once_read: Callable[[], Awaitable[None]] = nothing_to_do,
    ) -> bytes:
        """What a worker answers; ``once_read`` is called when the file lies where workers find it.

        Raises every kind of AsrError.
        """
        if not self.view.serves(held.model):
            raise ModelUnavailable(f"No worker has the model {held.model!r} at the moment")
        errand = Errand(self, Listener(notify, watch, self._walked), watch)
        with trio.move_on_after(self.deadline_s):
            return await errand.run(held, source, once_read, client=client, priority=priority)
        raise DeadlineExceeded(self.deadline_s)

    def _walked(self, told: Mapping[str, Any]) -> None:
        """A worker has done the work of a request: what it went through there."""
        facts = told["facts"]
        for name, busy_s in told["stages"].items():
            went(name, busy_s=busy_s)
        note(**facts)
        if "file_bytes" in facts and told["worker"] != self.worker:
            self.metrics.audio(facts["audio_s"], facts["file_bytes"])
            self.metrics.speed(facts.get("speed", 0.0), 1.0)
