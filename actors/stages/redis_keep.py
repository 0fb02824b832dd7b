"""The keep that machines share: entries in the Redis or Valkey that keeps the queue.

What is large is left out, as everybody else waits while the server moves it: it is computed again.
A server that is away keeps nothing, and nobody waits for it here.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import trio

from asr.actors.jobs.redis.library import Library
from asr.pipeline.errors import Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from asr.actors.jobs.redis.pool import Client

log = logging.getLogger(__name__)

VALUE_BYTES_MAX = 1 << 20
KEYS_AT_ONCE = 64

# What waits to be sent, while the server is slow or away; more is not kept.
UNSENT_BYTES_MAX = 32 << 20

# With the server, where somebody waits for the answer; who had none asks nothing more for a while.
PATIENCE_S = 1.0
AWAY_S = 10.0
AGAIN_S = 1.0


class Unsent(NamedTuple):
    """What the server is still to be told: to keep a value, or that a job is over."""

    function: str
    arguments: tuple[str | bytes | float, ...]
    key: str = ""
    value: bytes = b""


class RedisKeep:
    """A Keep, see there. Made by ``open_redis_keep``."""

    def __init__(self, library: Library, bytes_max: int) -> None:
        self._library = library
        self._bytes_max = bytes_max
        self._unsent: deque[Unsent] = deque()
        self._unsent_bytes = 0
        self._back_s = float("-inf")
        self._came = trio.Event()
        self._sent = trio.Event()

    def wants(self, job: str) -> bool:
        """What has a job is kept until that is over, even if nothing else is."""
        return bool(job) or self._bytes_max > 0

    async def get(self, keys: Sequence[str], *, job: str = "") -> Mapping[str, bytes]:
        """The entries that there are: see ``Keep``."""
        wanted = frozenset(keys)
        entries = {each.key: each.value for each in self._unsent if each.key in wanted}
        for start in range(0, len(keys), KEYS_AT_ONCE):
            page = keys[start : start + KEYS_AT_ONCE]
            found = await self._ask("keep_get", job, *page) or ()
            names = (name.decode() for name in found[::2])
            entries.update(zip(names, found[1::2], strict=True))
        return entries

    def put(self, key: str, value: bytes, *, job: str = "") -> None:
        """Keep an entry: see ``Keep``."""
        if len(value) > VALUE_BYTES_MAX or not self.wants(job):
            return
        if self._unsent_bytes + len(value) > UNSENT_BYTES_MAX:
            log.warning("a result is not kept: the queue's server is too slow")
            return
        self._send(Unsent("keep_put", (job, self._bytes_max, key, value), key, value))

    async def flush(self) -> None:
        """Return when what was put is kept; or after some time, if the server is away."""
        with trio.move_on_after(0.0 if self._away else PATIENCE_S):
            while self._unsent:
                await self._sent.wait()

    async def release(self, job: str, *, for_good: bool = False) -> None:
        """A job is over: its entries may go when there is no room. See ``Keep``."""
        await self._release(job, "for good" if for_good else "")

    async def drop_job(self, job: str) -> None:
        """Delete the entries of a job, but for those that belong to another one as well."""
        await self._release(job, "drop")

    def begin(self, job: str) -> None:
        """See ``Keep``: here each run says what is its own."""

    async def _release(self, job: str, how: str) -> None:
        """Behind all that was put before, and however long it takes until the server hears it."""
        self._send(Unsent("keep_release", (job, self._bytes_max, how)))
        await self.flush()

    def _send(self, unsent: Unsent) -> None:
        self._unsent.append(unsent)
        self._unsent_bytes += len(unsent.value)
        self._came.set()

    async def _ask(self, function: str, *arguments: str | float) -> Any:
        """What the server answers; None if it does not."""
        if self._away:
            return None
        with trio.move_on_after(PATIENCE_S), suppress(Busy):
            return await self._library.call(function, *arguments)
        self._back_s = trio.current_time() + AWAY_S
        return None

    @property
    def _away(self) -> bool:
        return trio.current_time() < self._back_s

    async def run(self) -> None:
        """Send what is put, for ever."""
        while True:
            if not self._unsent:
                self._came = trio.Event()
                await self._came.wait()
            first = self._unsent[0]
            try:
                await self._library.call(first.function, *first.arguments)
            except Busy as error:
                if not first.key:  # what a job had would stay for days
                    await trio.sleep(AGAIN_S)
                    continue
                log.warning("a result is not kept: %s", error.message)
            self._unsent.popleft()
            self._unsent_bytes -= len(first.value)
            self._sent.set()
            self._sent = trio.Event()


@asynccontextmanager
async def open_redis_keep(
    client: Client, *, bytes_max: int, name: str = "keep"
) -> AsyncIterator[RedisKeep]:
    """A keep at the server; ``bytes_max`` bounds what belongs to no job. Leaving sends the rest."""
    keep = RedisKeep(Library(client, name), bytes_max)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(keep.run)
        try:
            yield keep
        finally:
            with trio.CancelScope(shield=True):
                await keep.flush()
            nursery.cancel_scope.cancel()
