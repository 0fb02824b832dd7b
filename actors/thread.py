"""One OS thread that stays, for what is bound to a thread: MLX streams, torch's own thread count.

A ``trio.CapacityLimiter(1)`` is not enough: it keeps calls apart, but lends any thread.
"""

from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar, TypeVarTuple

import trio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class InThread(Protocol):
    """Runs a function elsewhere, and waits for what it returns or raises."""

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T: ...


class PinnedThread:
    """Every call runs on one and the same thread, in the order in which they were made."""

    def __init__(self, name: str) -> None:
        # Its one worker lives until shutdown, whatever the calls raise.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._turn = trio.Lock()  # fair, and a caller who leaves while it waits is never run

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """What ``fn`` returns or raises.

        A call that has begun is waited for, even under cancellation: a thread cannot be stopped,
        and to abandon it would hand what it owns to the next call while it is still at work.
        """
        async with self._turn:
            token, done = trio.lowlevel.current_trio_token(), trio.Event()
            future = self._worker.submit(fn, *args)
            future.add_done_callback(lambda _: token.run_sync_soon(done.set))
            with trio.CancelScope(shield=True):
                await done.wait()
            return future.result()

    async def aclose(self) -> None:
        """Wait for the running call, then end the thread; later calls raise RuntimeError."""
        with trio.CancelScope(shield=True):
            async with self._turn:
                await trio.to_thread.run_sync(self._worker.shutdown)


@asynccontextmanager
async def open_thread(name: str) -> AsyncIterator[InThread]:
    """A thread for as long as the context lasts; leaving waits for the running call."""
    thread = PinnedThread(name)
    try:
        yield thread
    finally:
        await thread.aclose()


def lent_thread() -> InThread:
    """Any thread of trio's, one call at a time: for blocking work that no thread must own."""
    limiter = trio.CapacityLimiter(1)

    async def in_thread(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        return await trio.to_thread.run_sync(fn, *args, limiter=limiter)

    return in_thread
