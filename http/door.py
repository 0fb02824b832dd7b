"""Whether the front desk takes new requests, how many are inside, and how they are sent away."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

from asr.http.patience import Patience
from asr.pipeline.errors import ShuttingDown

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long a client is waited for once the house is closing: to send the next part of its upload, or
# to read the next part of its answer. Who is at it does that in far less.
CLOSING_PATIENCE_S = 3.0


class Door:
    """Counts the requests that were let in; once closed, says when the last of them has left."""

    def __init__(self) -> None:
        self.inside = 0
        self.closed = False
        self.patience = Patience()
        self._empty = trio.Event()
        self._over = False
        self._at_work: set[trio.CancelScope] = set()
        self._watching: set[trio.CancelScope] = set()

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Be inside, whichever way one leaves. Who comes after closing time is not waited for."""
        if self.closed:
            yield
            return
        self.inside += 1
        try:
            yield
        finally:
            self.inside -= 1
            self._look()

    @contextmanager
    def working(self) -> Iterator[None]:
        """Work on a request for as long as there is time for it. Raises ShuttingDown after that."""
        with trio.CancelScope() as work:
            if self._over:
                work.cancel()
            self._at_work.add(work)
            try:
                yield
            finally:
                self._at_work.remove(work)
        if work.cancelled_caught:
            raise ShuttingDown

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look at what goes on without this request: over, without a word, once the house closes.

        Nothing is lost by that, and nobody's work has to wait for who only looks.
        """
        with trio.CancelScope() as watch:
            if self.closed:
                watch.cancel()
            self._watching.add(watch)
            try:
                yield
            finally:
                self._watching.remove(watch)

    def close(self) -> None:
        """Take no new requests, and wait only shortly for clients that are slow."""
        self.closed = True
        for watch in self._watching:
            watch.cancel()
        self.patience.lower(CLOSING_PATIENCE_S)
        self._look()

    def send_away(self) -> None:
        """There is no time left: end what is still being worked on."""
        self._over = True
        for work in self._at_work:
            work.cancel()

    async def wait_empty(self) -> None:
        """Return once the door is closed and the last request has left."""
        await self._empty.wait()

    def _look(self) -> None:
        if self.closed and not self.inside:
            self._empty.set()
