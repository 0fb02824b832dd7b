"""Audio in an object store: S3, or whatever else obstore speaks to.

Credentials and endpoints are the store's own business: obstore reads them where its other clients
do, such as AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL. Its calls block, so they are made in threads;
its other ones want asyncio.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import trio

from asr.actors.jobs.blobs import AudioGone, BlobsFull, checked
from asr.actors.jobs.queue import QueueUnavailable
from asr.actors.spool import explained

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from obstore.store import ObjectStore

    Scratch = Callable[[str], AbstractContextManager[Path]]

log = logging.getLogger(__name__)

T = TypeVar("T")

AT_ONCE_MAX = 16  # calls of a store at once, each in a thread
PIECE_BYTES = 4 << 20

# A bucket is listed in pages, which takes time: how full it is may be known so much too late.
LISTED_EVERY_S = 10.0


class ObjectBlobs:
    """Files in an object store: see ``Blobs``. What others put in counts some seconds later."""

    def __init__(self, store: ObjectStore, scratch: Scratch, *, bytes_max: int) -> None:
        """``scratch`` makes room for a file."""
        self._store = store
        self._scratch = scratch
        self._bytes_max = bytes_max
        self._calls = trio.CapacityLimiter(AT_ONCE_MAX)
        self._used = 0  # when last listed, and what this process put and dropped since
        self._listed_s = float("-inf")

    async def put(self, key: str, file: Path) -> None:
        """Keep a file: see ``Blobs``."""
        size = (await trio.Path(file).stat()).st_size
        if await self.used_bytes() + size > self._bytes_max:
            raise BlobsFull
        self._used += size
        await self._in_thread(partial(self._store.put, checked(key), file))

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[Path]:
        """A copy of the file. Raises AudioGone, StorageFull, QueueUnavailable."""
        with self._scratch(".audio") as path:
            await self._in_thread(partial(self._receive, checked(key), path))
            yield path

    def _receive(self, key: str, path: Path) -> None:
        try:
            with answering():
                pieces = self._store.get(key).stream(min_chunk_size=PIECE_BYTES)
                with path.open("xb") as target:
                    for piece in pieces:
                        target.write(piece)
        except OSError as error:
            raise explained(error) from error

    async def drop(self, key: str) -> None:
        """Keep it no more: see ``Blobs``."""
        await self._in_thread(partial(self._drop, checked(key)))

    def _drop(self, key: str) -> None:
        try:
            self._store.delete(key)
        except FileNotFoundError:  # a folder says so, a bucket does not
            return

    async def sweep(self, keep: Collection[str], *, older_than_s: float) -> None:
        """Drop what is not to be kept: see ``Blobs``."""
        before = datetime.now(UTC) - timedelta(seconds=older_than_s)
        await self._in_thread(partial(self._sweep, frozenset(keep), before))

    def _sweep(self, keep: frozenset[str], before: datetime) -> None:
        for page in self._store.list():
            for entry in page:
                if entry["path"] not in keep and entry["last_modified"] < before:
                    self._drop(entry["path"])

    async def used_bytes(self) -> int:
        """The bytes of all files together."""
        if trio.current_time() - self._listed_s > LISTED_EVERY_S:
            self._listed_s = trio.current_time()
            self._used = await self._in_thread(self._sum)
        return self._used

    def _sum(self) -> int:
        return sum(entry["size"] for page in self._store.list() for entry in page)

    async def _in_thread(self, do: Callable[[], T]) -> T:
        with answering():
            return await trio.to_thread.run_sync(do, limiter=self._calls)


@contextmanager
def answering() -> Iterator[None]:
    """What a store says that is away, or has lost something, in words of ours."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise AudioGone from error
    except (BaseError, PermissionError) as error:
        log.warning("the store of audio refuses", exc_info=True)
        raise QueueUnavailable from error
