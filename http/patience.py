"""How long clients are waited for: to send more of an upload, to take more of an answer."""

from __future__ import annotations

import math
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import Iterator


class Patience:
    """A bound on all waits for clients together, which may be lowered while they last."""

    def __init__(self) -> None:
        self._seconds_max = math.inf
        self._waits: set[trio.CancelScope] = set()

    @contextmanager
    def waiting(self, seconds: float) -> Iterator[trio.CancelScope]:
        """Wait so long at most, and no longer than everybody may; the scope says how it ended."""
        with trio.move_on_after(max(0.0, min(seconds, self._seconds_max))) as wait:
            self._waits.add(wait)
            try:
                yield wait
            finally:
                self._waits.remove(wait)

    def lower(self, seconds: float) -> None:
        """Wait no longer than this for anybody from now on; also where waiting has begun."""
        self._seconds_max = seconds
        latest_s = trio.current_time() + seconds
        for wait in self._waits:
            wait.deadline = min(wait.deadline, latest_s)
