"""What the settings come to where machines share the work: fronts, workers, and both in one.

Each function imports what it needs: a front has neither MLX nor torch in memory.
"""

from __future__ import annotations

import os
import socket
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Mapping
    from contextlib import AbstractAsyncContextManager, AbstractContextManager
    from pathlib import Path

    from asr.actors.cluster.remote import RemoteHouse
    from asr.actors.house import House
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.queue import Leisure
    from asr.actors.jobs.redis.client import Client
    from asr.actors.jobs.redis.queue import RedisQueue
    from asr.actors.jobs.redis.roster import RedisRoster
    from asr.actors.jobs.register import Register
    from asr.actors.stages.keep import Keep
    from asr.actors.trail import Trail
    from asr.pipeline.models import ModelStore
    from asr.settings import Settings
    from asr.terminal.descriptors import Need
    from asr.terminal.serve import Premises

    Scratch = Callable[[str], AbstractContextManager[Path]]
    OpenHouse = Callable[..., AbstractAsyncContextManager[House]]


@dataclass(frozen=True, slots=True)
class Shared:
    """What all machines share: the queue, who works for it, and what was computed."""

    client: Client
    queue: RedisQueue
    roster: RedisRoster
    keep: Keep


@asynccontextmanager
async def shared(settings: Settings) -> AsyncIterator[Shared]:
    """The way to the server that keeps the queue. Raises QueueUnavailable, NoClient."""
    from asr.actors.jobs.queue import Bounds
    from asr.actors.jobs.redis.client import connect
    from asr.actors.jobs.redis.queue import open_redis
    from asr.actors.jobs.redis.roster import RedisRoster
    from asr.actors.stages.redis_keep import open_redis_keep
    from asr.pipeline.setting import MEGABYTE
    from asr.settings import SettingsError

    said, jobs = settings.cluster, settings.jobs
    if said.queue_url is None:
        raise SettingsError(("QUEUE_URL: set it to the address of the Redis that machines share",))
    url = said.queue_url.get_secret_value()
    bounds = Bounds(jobs.waiting_max, settings.house.max_queue_size, jobs.client_max)
    async with (
        connect(url) as client,
        open_redis(url, bounds, lease_s=said.lease_s) as queue,
        open_redis_keep(client, bytes_max=jobs.cache_max_mb * MEGABYTE) as keep,
    ):
        yield Shared(client, queue, RedisRoster(client, lease_s=said.lease_s), keep)


def need(settings: Settings) -> Need:
    """What a front may do at once."""
    from asr.actors.receiver import UPLOADS_MAX
    from asr.terminal.descriptors import Need

    return Need(settings.http.connections_max, UPLOADS_MAX, 0)


def audio_at(settings: Settings, sharing: Shared, scratch: Scratch, *, part: float = 1.0) -> Blobs:
    """Where audio waits for a worker: see ``audio_store``. Raises SettingsError."""
    from asr.actors.cluster.audio import audio_store
    from asr.settings import SettingsError

    try:
        return audio_store(settings.jobs, settings.cluster, sharing.client, scratch, part=part)
    except ValueError as error:
        raise SettingsError((str(error),)) from None


def register_of(settings: Settings, sharing: Shared, blobs: Blobs) -> Register:
    """What is known of the jobs that outlive who sent them."""
    from asr.actors.jobs.register import ORPHANED_S, Register

    orphaned_s = max(ORPHANED_S, 2 * settings.house.request_deadline_s)
    return Register(sharing.queue, blobs, sharing.keep, settings.jobs, orphaned_s=orphaned_s)


def model_stores(settings: Settings) -> Mapping[bool, ModelStore]:
    """What models are called: for workers on CPUs, and for those with something better."""
    from asr.pipeline.models import ModelStore
    from asr.settings import SettingsError

    try:
        return {fast: ModelStore(settings.models, accelerated=fast) for fast in (False, True)}
    except ValueError as error:
        raise SettingsError((str(error),)) from None


@asynccontextmanager
async def front(settings: Settings) -> AsyncIterator[Premises]:
    """A front desk whose work is done by others."""
    from asr.actors.cluster.front import open_receiver, open_remote, show_desk
    from asr.actors.fetcher import Fetcher
    from asr.actors.jobs.office import open_jobs
    from asr.actors.metrics import Metrics
    from asr.building import tell_ends
    from asr.terminal.serve import Premises

    spool = settings.models.cache_dir / "spool"
    async with shared(settings) as sharing, open_receiver(settings.house, spool) as receiver:
        blobs = audio_at(settings, sharing, receiver.scratch)
        remote = open_remote(
            settings.house,
            queue=sharing.queue,
            roster=sharing.roster,
            blobs=blobs,
            keep=sharing.keep,
            receiver=receiver,
            fetcher=Fetcher(settings.urls),
            metrics=Metrics(),
            stores=model_stores(settings),
        )
        register = register_of(settings, sharing, blobs)
        telling = open_jobs(register, None, tell_ends=tell_ends(register))
        async with telling as jobs, remote as house:
            show_desk(house, spool)
            yield Premises(house, jobs)


@asynccontextmanager
async def together(
    settings: Settings,
    house: House,
    sharing: Shared,
    *,
    name: str,
    lanes: Collection[str] | None,
    leisure: Leisure,
) -> AsyncIterator[House]:
    """The house of the worker of that name, which helps others with long files, and they it."""
    import trio

    from asr.actors.cluster import shares
    from asr.actors.cluster.helper import ShareRunner
    from asr.actors.cluster.view import View, run_view
    from asr.actors.jobs.queue import Bounds
    from asr.actors.jobs.redis.queue import open_redis
    from asr.actors.jobs.runner import Guarded

    said, at = settings.cluster, house.stations
    assert said.queue_url is not None, "that is how sharing was opened"
    url, bounds = said.queue_url.get_secret_value(), Bounds(0, shares.SHARES_MAX)
    # Who computes otherwise would at times say other words.
    alike = f"windows-{house.device}-{house.compute_type}"
    blobs = audio_at(settings, sharing, at.receiver.scratch, part=shares.PART_OF_STORE)
    runner = Guarded(ShareRunner(at.gpu, at.librarian, blobs, at.receiver))
    async with (
        open_redis(url, bounds, name=alike, lease_s=said.lease_s) as queue,
        trio.open_nursery() as nursery,
    ):
        view: View = await nursery.start(partial(run_view, sharing.queue, sharing.roster))
        help = partial(queue.work, runner, slots=shares.SLOTS, lanes=lanes, leisure=leisure)
        await nursery.start(help)
        yield shares.sharing(house, queue, blobs, partial(view.idle, but=name))
        nursery.cancel_scope.cancel()


@dataclass(frozen=True, slots=True)
class Working:
    """Where a worker works: its house, its name, and what it takes from."""

    house: House
    name: str
    sharing: Shared
    blobs: Blobs
    jobs: Register


@asynccontextmanager
async def working(
    settings: Settings, open_house: OpenHouse, *, slots: int | None, told: Callable[[Trail], None]
) -> AsyncIterator[Working]:
    """A worker at work; ``told`` hears of the trails of jobs. Leaving hands back what it has."""
    from asr.actors.cluster.worker import Handlers, HeldRunner, InHand, on_the_roster, standing_of
    from asr.actors.jobs.office import Crew, open_jobs
    from asr.actors.jobs.runner import JobRunner
    from asr.building import tell_ends
    from asr.terminal.descriptors import running_allowed

    async with AsyncExitStack() as opened:
        sharing = await opened.enter_async_context(shared(settings))
        name = f"{socket.gethostname()}-{os.getpid()}-{sharing.queue.process}"
        house = await opened.enter_async_context(open_house(keep=sharing.keep))
        blobs = audio_at(settings, sharing, house.receiver.scratch)
        taken, in_hand = lanes(settings), InHand()
        if settings.cluster.share:
            helped = together(
                settings, house, sharing, name=name, lanes=taken, leisure=in_hand.leisure
            )
            house = await opened.enter_async_context(helped)
        deadline_s = settings.jobs.deadline_s
        durable = JobRunner(house, blobs, sharing.keep, deadline_s, told=told)
        handlers = Handlers(HeldRunner(house, blobs, name), durable, in_hand)
        wanted = slots or settings.jobs.at_once or settings.house.running_max(house.device)
        slots = running_allowed(wanted)
        crew = Crew(handlers, slots, taken)
        standing = partial(standing_of, house, in_hand, name=name, slots=slots, lanes=taken)
        lease_s = settings.cluster.lease_s
        await opened.enter_async_context(on_the_roster(sharing.roster, standing, lease_s=lease_s))
        register = register_of(settings, sharing, blobs)
        jobs = await opened.enter_async_context(
            open_jobs(register, crew, tell_ends=tell_ends(register))
        )
        yield Working(house, name, sharing, blobs, jobs)


def lanes(settings: Settings) -> tuple[str, ...] | None:
    """The models whose jobs this worker takes, by their canonical names; None for all."""
    from asr.pipeline.models import ModelStore

    said = settings.cluster.worker_models
    names = [name.strip() for name in said.split(",") if name.strip()]
    store = ModelStore(settings.models, accelerated=False)
    return tuple(sorted({store.resolve(name) for name in names})) or None


@asynccontextmanager
async def worker(
    settings: Settings, open_house: OpenHouse, *, slots: int | None, told: Callable[[Trail], None]
) -> AsyncIterator[Premises]:
    """A worker without a front desk."""
    from asr.terminal.serve import Premises

    async with working(settings, open_house, slots=slots, told=told) as at:
        yield Premises(at.house, at.jobs)


@asynccontextmanager
async def both(
    settings: Settings, open_house: OpenHouse, *, told: Callable[[Trail], None]
) -> AsyncIterator[Premises]:
    """A front desk and a worker in one process: its own requests may be done by any other."""
    from asr.actors.cluster.front import open_remote
    from asr.terminal.serve import Premises

    async with AsyncExitStack() as opened:
        at = await opened.enter_async_context(working(settings, open_house, slots=None, told=told))
        remote: AbstractAsyncContextManager[RemoteHouse] = open_remote(
            settings.house,
            queue=at.sharing.queue,
            roster=at.sharing.roster,
            blobs=at.blobs,
            keep=at.sharing.keep,
            receiver=at.house.receiver,
            fetcher=at.house.fetcher,
            metrics=at.house.metrics,
            stores=model_stores(settings),
            own=at.house,
            worker=at.name,
        )
        yield Premises(await opened.enter_async_context(remote), at.jobs)
