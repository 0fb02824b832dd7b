"""What the house shows at each scrape, and how long its threads are at work."""

from __future__ import annotations

import resource
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias, TypeVar, TypeVarTuple

import trio

from asr.actors.receiver import disk_free_bytes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from asr.actors.keeper import Health
    from asr.actors.metrics import Metrics
    from asr.actors.queue import Queue
    from asr.actors.thread import InThread
    from asr.actors.transcriber import Stations

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

OpenThread: TypeAlias = "Callable[[str], AbstractAsyncContextManager[InThread]]"


def show(stations: Stations, queue: Queue, health: Health, *, spool: Path) -> None:
    """Let the house's numbers be read whenever somebody asks for them."""
    metrics, librarian, letters = stations.metrics, stations.librarian, stations.letters
    metrics.watch_queue(queue.stats)
    metrics.watch_uploads(stations.receiver.stats)
    metrics.watch_gpu(stations.gpu.board)
    for name, help, read in (
        ("asr_healthy", "1, or 0 when an actor is down for good", lambda: health.fault is None),
        ("asr_spool_free_bytes", "Room on the uploads' disk", lambda: disk_free_bytes(spool)),
        ("asr_memory_peak_bytes", "The most resident memory so far", peak_bytes),
        ("asr_tasks", "Tasks of the event loop", tasks),
    ):
        metrics.watch(name, help, read)
    metrics.watch_downloads("model", lambda: len(librarian.stats()))
    metrics.watch_downloads("alignment", lambda: len(letters.stats()))


def peak_bytes() -> int:
    """The most memory that this process has held, wherever it runs: macOS has no /proc."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def tasks() -> int:
    """How many tasks the event loop has."""
    return trio.lowlevel.current_statistics().tasks_living


def metered(open_thread: OpenThread, metrics: Metrics) -> OpenThread:
    """Threads whose calls are timed; what a call waits for its turn counts, too."""

    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[InThread]:
        async with open_thread(name) as in_thread:

            async def call(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
                began_s = trio.current_time()
                try:
                    return await in_thread(fn, *args)
                finally:
                    metrics.step(name, trio.current_time() - began_s)

            yield call

    return opened
