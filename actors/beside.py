"""Work that is done beside other work, and is over when that is."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import trio

from asr.pipeline.errors import AsrError

T = TypeVar("T")

# Kept of a request's time for what comes after the work that was waited for.
SPARE_S = 1.0


class Later(Generic[T]):
    """What a function will have returned or raised."""

    def __init__(self) -> None:
        self._over = trio.Event()
        self._values: list[T] = []
        self._error: AsrError | None = None

    async def result(self) -> T:
        """Wait for it. Raises what the function raised, if that was an AsrError."""
        await self._over.wait()
        if self._error is not None:
            raise self._error
        return self._values[0]

    async def in_time(self) -> T | None:
        """The result, or None if the deadline around the caller leaves no time to wait on."""
        if not self._over.is_set():
            with trio.move_on_at(trio.current_effective_deadline() - SPARE_S):
                await self._over.wait()
        return await self.result() if self._over.is_set() else None

    async def _run(self, work: Callable[[], Awaitable[T]]) -> None:
        try:
            self._values.append(await work())
        except AsrError as error:  # an answer: anything else ends the block, too
            self._error = error
        self._over.set()


@asynccontextmanager
async def beside(work: Callable[[], Awaitable[T]]) -> AsyncIterator[Later[T]]:
    """Have a function at work for as long as the block lasts; leaving the block ends it.

    An error of the block's own is raised as it is, and not within a group of them.
    """
    later = Later[T]()
    failed: Exception | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(later._run, work)
        try:
            yield later
        except Exception as error:
            failed = error
        nursery.cancel_scope.cancel()
    if failed is not None:
        raise failed
