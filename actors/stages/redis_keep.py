"""The keep that machines share: entries in the Redis or Valkey that keeps the queue.

What is large is left out, as everybody else waits while the server moves it: it is computed again.
A server that is away keeps nothing, and nobody waits for it here.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.jobs.redis_library import Library
from asr.pipeline.errors import Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from asr.actors.jobs.redis_pool import Client

log = logging.getLogger(__name__)

VALUE_BYTES_MAX = 1 << 20
KEYS_AT_ONCE = 64

# What waits to be sent, while the server is slow or away; more is not kept.
UNSENT_BYTES_MAX = 32 << 20

# With the server, where somebody waits for the answer; who had none asks nothing more for a while.
PATIENCE_S = 1.0
AWAY_S = 10.0


class RedisKeep:
    """A Keep, see there. Made by ``open_redis_keep``."""

    def __init__(self, library: Library, bytes_max: int) -> None:
        self._library = library
        self._bytes_max = bytes_max
        self._unsent: deque[tuple[str, str, bytes]] = deque()  # job, key, value
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
        entries = {key: value for _, key, value in self._unsent if key in wanted}
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
        self._unsent.append((job, key, value))
        self._unsent_bytes += len(value)
        self._came.set()

    async def flush(self) -> None:
        """Return when what was put is kept; or after some time, if the server is away."""
        with trio.move_on_after(0.0 if self._away else PATIENCE_S):
            while self._unsent:
                await self._sent.wait()

    async def release(self, job: str) -> None:
        """A job is over: its entries may go when there is no room."""
        await self._release(job, at_once=False)

    async def drop_job(self, job: str) -> None:
        """Delete the entries of a job, but for those that belong to another one as well."""
        await self._release(job, at_once=True)

    async def _release(self, job: str, *, at_once: bool) -> None:
        await self.flush()
        await self._ask("keep_release", job, self._bytes_max, int(at_once))

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
            job, key, value = self._unsent[0]
            try:
                await self._library.call("keep_put", job, self._bytes_max, key, value)
            except Busy as error:
                log.warning("a result is not kept: %s", error.message)
            self._unsent.popleft()
            self._unsent_bytes -= len(value)
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
