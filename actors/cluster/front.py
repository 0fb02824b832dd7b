"""A front: takes requests in as a house does, and has others do the work."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.cluster.errand import run_later
from asr.actors.cluster.remote import RemoteHouse
from asr.actors.cluster.view import View, run_view
from asr.actors.gauges import peak_bytes, tasks
from asr.actors.receiver import Receiver, disk_free_bytes, limits, run_receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from asr.actors.fetcher import Fetcher
    from asr.actors.house import House
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.queue import JobQueue
    from asr.actors.jobs.redis.roster import Roster
    from asr.actors.metrics import Metrics
    from asr.actors.settings import HouseSettings
    from asr.actors.stages.keep import Keep
    from asr.pipeline.models import ModelStore


@asynccontextmanager
async def open_receiver(settings: HouseSettings, spool: Path) -> AsyncIterator[Receiver]:
    """What takes uploads in, without a house around it."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(run_receiver, spool, limits(settings))
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def open_remote(
    settings: HouseSettings,
    *,
    queue: JobQueue,
    roster: Roster,
    blobs: Blobs,
    keep: Keep,
    receiver: Receiver,
    fetcher: Fetcher,
    metrics: Metrics,
    stores: Mapping[bool, ModelStore],
    own: House | None = None,
    worker: str = "",
) -> AsyncIterator[RemoteHouse]:
    """A house whose work is done by whoever takes it from the queue.
    See ``RemoteHouse`` for what it is made of. Raises QueueUnavailable.
    """
    async with trio.open_nursery() as nursery:
        view: View = await nursery.start(partial(run_view, queue, roster))
        later = await nursery.start(run_later)
        house = RemoteHouse(
            deadline_s=settings.request_deadline_s,
            waiting_max=settings.max_queue_size,
            metrics=metrics,
            receiver=receiver,
            fetcher=fetcher,
            queue=queue,
            blobs=blobs,
            keep=keep,
            view=view,
            stores=stores,
            later=later,
            own=own,
            worker=worker,
        )
        show_view(house)
        yield house
        nursery.cancel_scope.cancel()


def show_view(house: RemoteHouse) -> None:
    """Let the numbers of the whole be read whenever somebody asks for them."""
    metrics, view = house.metrics, house.view
    metrics.watch_queue(house.queue_stats)
    for name, help, read in (
        ("asr_workers", "Workers that are there", lambda: len(view.workers)),
        ("asr_worker_slots", "Jobs that all workers do at once", lambda: view.slots),
        ("asr_worker_busy", "Jobs that workers have in hand", lambda: view.busy),
        ("asr_queue_oldest_seconds", "How long the first job waits", lambda: view.stats.oldest_s),
        ("asr_queue_reachable", "1 while the queue's server answers", lambda: view.reachable),
    ):
        metrics.watch(name, help, read)


def show_desk(house: RemoteHouse, spool: Path) -> None:
    """Let the numbers of a front that is nothing else be read: those that a house has as well."""
    metrics = house.metrics
    metrics.watch_uploads(house.receiver.stats)
    metrics.watch_loaded(lambda: len(house.loaded_models()))
    for name, help, read in (
        ("asr_healthy", "1, or 0 when an actor is down for good", lambda: True),
        ("asr_spool_free_bytes", "Room on the uploads' disk", lambda: disk_free_bytes(spool)),
        ("asr_memory_peak_bytes", "The most resident memory so far", peak_bytes),
        ("asr_tasks", "Tasks of the event loop", tasks),
    ):
        metrics.watch(name, help, read)
