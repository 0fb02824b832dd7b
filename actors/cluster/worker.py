"""A worker: a house that does what the queue holds, and says in the roster that it is there."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.cluster.held import TRAIL, Teller, load_held
from asr.actors.jobs.redis.roster import WorkerProcess
from asr.actors.trail import Trail, begin, note
from asr.pipeline.errors import AsrError
from asr.pipeline.records import dump_detected, dump_transcript

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator

    from asr.actors.cluster.held import Held
    from asr.actors.house import House
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.queue import Handler, Run
    from asr.actors.jobs.redis.roster import Roster

log = logging.getLogger(__name__)

BEAT_EVERY_MAX_S = 2.0
GOODBYE_S = 2.0


@dataclass(frozen=True, slots=True)
class HeldRunner:
    """The handler of jobs that somebody waits for: see ``Handler`` of ``queue.py``."""

    house: House
    blobs: Blobs
    worker: str

    async def __call__(self, run: Run, /) -> bytes:
        """What was asked, as ``records.py`` writes it. Raises every kind of AsrError."""
        try:
            held = load_held(run.job.work)
        except ValueError:
            raise AsrError("The request came from another version of this server") from None
        trail = Trail(held.request)
        with begin(trail):
            note(worker=self.worker, tries=run.tries)
            try:
                return await self._answer(run, held)
            finally:
                # Nobody else will: it is over, or is begun again.
                with trio.CancelScope(shield=True):
                    await self.house.stations.cache.keep.release(run.job.id, for_good=True)
                stages = {name: at.busy_s for name, at in trail.stages.items()}
                told = {"stages": stages, "facts": trail.facts, "worker": self.worker}
                run.tell(TRAIL, told)

    async def _answer(self, run: Run, held: Held) -> bytes:
        if held.ask == "load":
            return b"1" if await self.house.load(held.model) else b"0"
        async with self.blobs.open(held.audio) as source:
            if held.ask == "language":
                track = held.options.audio_track
                detect = partial(self.house.detect_language, model=held.model, raw=held.raw)
                return dump_detected(await detect(source, audio_track=track))
            teller = Teller(run)
            transcript = await self.house.transcribe(
                source,
                replace(held.options, model=held.model),
                client=run.job.client,
                raw=held.raw,
                priority=run.job.priority,
                notify=teller.hear,
                live=held.live,
                watch=teller.watch if held.watched else None,
                job=run.job.id,
            )
        return await trio.to_thread.run_sync(dump_transcript, transcript)


class InHand:
    """What a worker has to do itself: as long as there is any, it helps nobody, and not itself."""

    def __init__(self) -> None:
        self.busy = 0
        self._idle = trio.Event()
        self._idle.set()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """A job more, as long as the block lasts."""
        self.busy += 1
        self._idle = trio.Event() if self.busy == 1 else self._idle
        try:
            yield
        finally:
            self.busy -= 1
            if not self.busy:
                self._idle.set()

    async def leisure(self) -> None:
        """Return when there is nothing to do."""
        await self._idle.wait()


class Handlers:
    """Does jobs of both kinds."""

    def __init__(self, held: Handler, durable: Handler, in_hand: InHand) -> None:
        self._held = held
        self._durable = durable
        self._in_hand = in_hand

    async def __call__(self, run: Run, /) -> bytes:
        """Do a job: see ``Handler``."""
        handler = self._durable if run.job.durable else self._held
        with self._in_hand.at_work():
            return await handler(run)


@asynccontextmanager
async def on_the_roster(
    roster: Roster, standing: Callable[[], WorkerProcess], *, lease_s: float
) -> AsyncIterator[None]:
    """Be seen as a worker for as long as the block lasts: who is silent for ``lease_s`` is gone."""
    every_s = min(BEAT_EVERY_MAX_S, lease_s / 3)
    async with trio.open_nursery() as nursery:
        name = standing().name
        await roster.beat(standing())
        nursery.start_soon(_beat, roster, standing, every_s)
        try:
            yield
        finally:
            nursery.cancel_scope.cancel()
            with trio.move_on_after(GOODBYE_S, shield=True):
                await roster.leave(name)


async def _beat(roster: Roster, standing: Callable[[], WorkerProcess], every_s: float) -> None:
    while True:
        await trio.sleep(every_s)
        try:
            await roster.beat(standing())
        except AsrError as error:  # the queue is away: its jobs are, too
            log.warning("this worker cannot be seen at the moment: %s", error.message)


def standing_of(
    house: House, in_hand: InHand, *, name: str, slots: int, lanes: Collection[str] | None
) -> WorkerProcess:
    """What there is to be said of a worker now."""
    return WorkerProcess(
        name,
        house.device,
        models=tuple(sorted(lanes or ())),
        loaded=tuple(model.name for model in house.loaded_models()),
        slots=slots,
        busy=in_hand.busy,
        compute_type=house.compute_type,
    )
