"""One OS thread that stays, for what is bound to a thread: MLX streams, torch's own thread count.

A ``trio.CapacityLimiter(1)`` is not enough: it keeps calls apart, but lends any thread.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar, TypeVarTuple

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from concurrent.futures import Future
    from contextlib import AbstractAsyncContextManager

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


# Patience is counted in so many looks: a process that was stopped for an hour and goes on has lost
# one of them, and is not taken for one that hangs.
LOOKS = 10

# How long whoever has to leave waits for a call that has begun: a step takes less. What takes more,
# such as the import of a library or a download, must not keep the process from its end.
LEAVING_S = 5.0


class Hung(Exception):
    """A call has outlasted its thread's patience: nothing can be done in that thread any more."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the {name} thread hangs")


class InThread(Protocol):
    """Runs a function elsewhere, and waits for what it returns or raises."""

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T: ...


class PinnedThread:
    """Every call runs on one and the same thread, in the order in which they were made.

    One that takes longer than ``patience_s`` is given up, and the thread with it; so is one that
    its cancelled caller has waited for in vain, for ``leaving_s``.
    """

    def __init__(self, name: str, *, patience_s: float, leaving_s: float = LEAVING_S) -> None:
        self._name = name
        self._patience_s = patience_s
        self._leaving_s = leaving_s
        self._hung = False
        # Its one worker lives until shutdown, whatever the calls raise.
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)
        self._turn = trio.Lock()  # fair, and a caller who leaves while it waits is never run

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """What ``fn`` returns or raises; it sees the caller's context variables. Raises Hung.

        A call that has begun is waited for, for a while also under cancellation: a thread cannot be
        stopped, and to abandon it would hand what it owns to the next call while it is at work.
        """
        async with self._turn:
            if self._hung:
                raise Hung(self._name)
            future = self._worker.submit(partial(copy_context().run, fn, *args))
            returned = _returned(future)
            try:
                await self._wait(returned)
            except trio.Cancelled:
                with trio.move_on_after(self._leaving_s, shield=True):
                    await returned.wait()
                raise
            finally:
                self._hung = not returned.is_set()
            if self._hung:
                raise Hung(self._name)
            return future.result()

    async def _wait(self, returned: trio.Event) -> None:
        """Return when the call does, or when it has taken too long."""
        for _ in range(LOOKS):
            with trio.move_on_after(self._patience_s / LOOKS):
                await returned.wait()
                return

    async def aclose(self) -> None:
        """Wait for the running call, then end the thread; later calls raise RuntimeError.

        A thread that hangs is left behind.
        """
        with trio.CancelScope(shield=True):
            async with self._turn:
                await trio.to_thread.run_sync(partial(self._worker.shutdown, wait=not self._hung))


def _returned(future: Future[T]) -> trio.Event:
    """What is set when a call has returned, or raised."""
    token, returned = trio.lowlevel.current_trio_token(), trio.Event()

    def tell(_: object) -> None:
        with suppress(trio.RunFinishedError):  # it was given up, and returned all the same
            token.run_sync_soon(returned.set)

    future.add_done_callback(tell)
    return returned


@asynccontextmanager
async def open_thread(
    name: str, *, patience_s: float, leaving_s: float = LEAVING_S
) -> AsyncIterator[InThread]:
    """A thread for as long as the context lasts; leaving waits a while for the running call."""
    thread = PinnedThread(name, patience_s=patience_s, leaving_s=leaving_s)
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


@asynccontextmanager
async def left_at_the_end(
    thread: AbstractAsyncContextManager[InThread], leave: Callable[[], None]
) -> AsyncIterator[InThread]:
    """A thread, and the last call that it gets, unless it hangs: a moment is enough for that."""
    async with thread as in_thread:
        try:
            yield in_thread
        finally:
            with trio.move_on_after(LEAVING_S, shield=True), suppress(Hung):
                await in_thread(leave)
