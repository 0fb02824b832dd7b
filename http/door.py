"""Whether the front desk takes new requests, and how many are inside."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator


class Door:
    """Counts the requests inside; once closed it says so, and when the last one has left."""

    def __init__(self) -> None:
        self.inside = 0
        self.closed = False
        self._empty = trio.Event()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be inside, whichever way one leaves."""
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._look()

    def close(self) -> None:
        """Take no new requests."""
        self.closed = True
        self._look()

    async def wait_empty(self) -> None:
        """Return once the door is closed and the last request has left."""
        await self._empty.wait()

    def _look(self) -> None:
        if self.closed and not self.inside:
            self._empty.set()
