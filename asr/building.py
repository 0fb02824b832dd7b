"""What the settings come to: the house, and what it is made of.

Each function imports what it needs: a command loads only its own rooms.
"""

from __future__ import annotations

import logging
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from contextlib import AbstractAsyncContextManager

    from asr.actors.house import House, Machine
    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.queue import JobQueue
    from asr.actors.jobs.register import Register
    from asr.actors.stages.cache import NetworkNames
    from asr.actors.stages.keep import Keep
    from asr.actors.tools import Tools
    from asr.actors.trail import Trail
    from asr.pipeline.device import Device
    from asr.pipeline.diarize.sources import Source
    from asr.pipeline.engine import Engine, EngineSettings
    from asr.pipeline.models import ModelStore
    from asr.settings import Settings
    from asr.terminal.descriptors import Need
    from asr.terminal.serve import Premises

log = logging.getLogger(__name__)


def need(settings: Settings) -> Need:
    """What the server may do at once."""
    from asr.actors.receiver import UPLOADS_MAX
    from asr.pipeline.device import pick_device
    from asr.terminal.descriptors import Need

    running_max = settings.house.running_max(pick_device(settings.engine.device))
    return Need(settings.http.connections_max, UPLOADS_MAX, running_max)


def model_store(settings: Settings) -> ModelStore:
    """Where models come from; the default one depends on what will run it."""
    from asr.pipeline.device import pick_device
    from asr.pipeline.models import ModelStore
    from asr.settings import SettingsError

    accelerated = pick_device(settings.engine.device) != "cpu"
    try:
        return ModelStore(settings.models, accelerated=accelerated)
    except ValueError as error:
        raise SettingsError((str(error),)) from None


def load_engine(settings: EngineSettings) -> Engine:
    """The engine, made in the thread that will use it: its imports take seconds."""
    from asr.pipeline.whisper import WhisperEngine

    return WhisperEngine(settings)


def open_the_house(settings: Settings) -> AbstractAsyncContextManager[House]:
    """All actors, ready to be opened, and nothing kept of what they do."""
    return house_of(settings)()


def house_of(settings: Settings) -> Callable[..., AbstractAsyncContextManager[House]]:
    """What opens all actors. To be called before anything looks at MLX's devices."""
    import trio

    from asr.actors.fetcher import Fetcher
    from asr.actors.house import open_house
    from asr.actors.metrics import Metrics
    from asr.blas import preload_blas
    from asr.pipeline.device import leave_thread
    from asr.pipeline.heap import return_freed
    from asr.settings import SettingsError
    from asr.terminal.cache import find_problem

    if problem := find_problem(settings.models.cache_dir):
        raise SettingsError((problem,))
    chosen = preload_blas()
    runs_on = machine(settings.engine)
    tell_of_blas(chosen, runs_on)
    return partial(
        open_house,
        settings.house,
        engine=partial(load_engine, settings.engine),
        tools=tools(settings, runs_on.device),
        speakers=settings.speakers,
        models=model_store(settings),
        metrics=Metrics(),
        machine=runs_on,
        spool=settings.models.cache_dir / "spool",
        fetcher=Fetcher(settings.urls),
        leave_thread=leave_thread,
        return_freed=partial(trio.to_thread.run_sync, return_freed),
    )


def tell_of_blas(chosen: str, runs_on: Machine) -> None:
    """Which linear algebra there is, loudly if all has to be computed with a slow one."""
    from asr.blas import REFERENCE

    slow = chosen.startswith(REFERENCE) and runs_on.device == "cpu"
    log.log(logging.WARNING if slow else logging.INFO, "linear algebra on the CPU: %s", chosen)


def tools(settings: Settings, device: Device) -> Tools:
    """The networks beside Whisper's, as far as they are wanted, and there are any."""
    from asr.actors.tools import Tools
    from asr.pipeline.align.aligner import WordAligner
    from asr.pipeline.align.sparing import Letters
    from asr.pipeline.device import pick_device
    from asr.pipeline.diarize.diarizer import SpeakerDiarizer
    from asr.pipeline.diarize.sources import find_source
    from asr.pipeline.vad import SpeechFinder

    models, speakers = settings.models, settings.speakers
    source = find_source(models)
    log.info("speakers are told apart by %s", source.name if source else "nothing: not installed")
    wanted = speakers.align_device
    align_on = pick_device(device if wanted in ("auto", "off") else wanted, setting="ALIGN_DEVICE")
    letters = Letters(models)
    return Tools(
        finder=partial(SpeechFinder, device=device),
        diarizer=partial(SpeakerDiarizer, source, speakers, device=device) if source else None,
        aligner=partial(WordAligner, models, device=align_on) if wanted != "off" else None,
        find_letters=letters.find,
        fetch_letters=letters.fetch,
        networks=networks(source),
    )


def networks(source: Source | None) -> NetworkNames:
    """What tells the networks beside Whisper's from others, which would have other results."""
    from importlib.metadata import version

    from asr.actors.stages.cache import NetworkNames

    speech = f"whispermlx {version('whispermlx')}"
    return (
        NetworkNames(speech, source.identity, source.voice_model)
        if source
        else NetworkNames(speech)
    )


def machine(settings: EngineSettings) -> Machine:
    """What the arrays will run on."""
    from asr.actors.house import Machine
    from asr.pipeline.device import pick_compute_type, pick_device

    device = pick_device(settings.device)
    return Machine(device, pick_compute_type(settings.compute_type, device))


@dataclass(frozen=True, slots=True)
class Stores:
    """Where jobs are kept, their audio, and what their stages have brought."""

    queue: JobQueue
    blobs: Blobs
    keep: Keep


def open_premises(
    settings: Settings, *, told: Callable[[Trail], None]
) -> AbstractAsyncContextManager[Premises]:
    """The house, its jobs and what does them, ready to be opened; ``told`` hears of their trails.

    To be called before anything looks at MLX's devices.
    """
    if settings.cluster.queue_url is not None:
        from asr import clustered

        return clustered.both(settings, house_of(settings), told=told)
    return _premises(settings, house_of(settings), told)


@asynccontextmanager
async def _premises(
    settings: Settings,
    house: Callable[..., AbstractAsyncContextManager[House]],
    told: Callable[[Trail], None],
) -> AsyncIterator[Premises]:
    from asr.pipeline.errors import AsrError
    from asr.terminal.serve import Premises

    async with AsyncExitStack() as opened:
        try:
            stores = await opened.enter_async_context(_own_stores(settings))
        except AsrError as error:
            log.warning("this server takes no jobs: %s (see ASR_JOBS_DIR)", error.message)
            without = await opened.enter_async_context(house())
            without.health.degrade("jobs")
            yield Premises(without)
            return
        open_now = await opened.enter_async_context(house(keep=stores.keep))
        jobs = await opened.enter_async_context(_jobs(settings, open_now, stores, told))
        yield Premises(open_now, jobs)


@asynccontextmanager
async def _own_stores(settings: Settings) -> AsyncIterator[Stores]:
    """Those of this machine alone: all in one folder."""
    from asr.actors.jobs.blobs import FolderBlobs
    from asr.actors.jobs.local.journal import open_journal
    from asr.actors.jobs.local.queue import open_local
    from asr.actors.jobs.queue import Bounds
    from asr.actors.stages.sqlite_keep import open_sqlite_keep
    from asr.pipeline.setting import MEGABYTE

    said = settings.jobs
    folder = said.folder or settings.models.cache_dir / "jobs"
    bounds = Bounds(said.waiting_max, client_max=said.client_max)
    async with (
        open_journal(folder) as journal,
        open_local(bounds, journal) as queue,
        open_sqlite_keep(journal, said.cache_max_mb * MEGABYTE) as keep,
    ):
        blobs = FolderBlobs(folder / "audio", bytes_max=said.audio_max_mb * MEGABYTE)
        yield Stores(queue, blobs, keep)


def _jobs(
    settings: Settings, house: House, stores: Stores, told: Callable[[Trail], None]
) -> AbstractAsyncContextManager[Register]:
    from asr.actors.jobs.office import Crew, open_jobs
    from asr.actors.jobs.register import Register
    from asr.actors.jobs.runner import JobRunner

    said = settings.jobs
    runner = JobRunner(house, stores.blobs, stores.keep, said.deadline_s, told=told)
    slots = said.at_once or settings.house.running_max(house.device)
    register = Register(stores.queue, stores.blobs, stores.keep, said)
    return open_jobs(register, Crew(runner, slots), tell_ends=tell_ends(register))


def tell_ends(register: Register) -> Callable[[], Awaitable[None]]:
    """What tells webhooks of the ends of jobs; with no secret set here it has nothing to do."""
    from asr.actors.jobs.webhooks import run_webhooks
    from asr.http.job_object import describer

    described = describer(register)
    return partial(run_webhooks, register.queue, register.settings, describe=described)
