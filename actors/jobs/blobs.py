"""Where the audio of jobs lies until they are done: by name, as whole files.

One protocol, three stores: a folder, on this disk or one that machines share; an object store
(``blobs_object.py``); and the Redis that keeps the queue, for what is small (``redis/blobs.py``).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import trio

from asr.actors.spool import explained
from asr.pipeline.durable import make_durable
from asr.pipeline.errors import AsrError, Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection, Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

T = TypeVar("T")

# Names begin with no dot: neither "..", nor what is not whole yet.
NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}", re.ASCII)

UNFINISHED = ".coming-"  # before the names of files that are not whole yet

RETRY_AFTER_S = 60.0  # about what it takes until some job has ended, and its audio with it


class AudioGone(AsrError):
    """There is nothing of that name: it was dropped, or its store has lost it."""

    def __init__(self) -> None:
        super().__init__("The audio of this job is not there any more; send it again")


class BlobsFull(Busy):
    """The audio of all jobs together takes as much room as it may."""

    def __init__(self) -> None:
        super().__init__(
            "The space that is set aside for jobs' audio is full; try again later",
            retry_after_s=RETRY_AFTER_S,
        )


class Blobs(Protocol):
    """Files by name: of letters, digits, ``-``, ``_`` and, but at its start, ``.``; at most 200."""

    async def put(self, key: str, file: Path) -> None:
        """Keep a copy of a file, whole, once this returns; in the place of one of that name.

        The file must not be written to any more: it may be the same one under another name.
        Raises BlobsFull, TooLarge, StorageFull or QueueUnavailable.
        """
        ...

    def open(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A file to read for as long as the context lasts. Raises AudioGone, StorageFull."""
        ...

    async def drop(self, key: str) -> None:
        """Keep it no more; nothing happens if there is none."""
        ...

    async def sweep(self, keep: Collection[str], *, older_than_s: float) -> None:
        """Drop all that is not to be kept, and was put that many seconds ago or before."""
        ...

    async def used_bytes(self) -> int:
        """The bytes of all files together."""
        ...


class FolderBlobs:
    """Files in a folder. Where it is on the spool's disk, putting one copies no bytes.

    Several machines may share a folder; its bound is then exact for one of them at a time.
    """

    def __init__(self, folder: Path, *, bytes_max: int) -> None:
        """``folder`` is made at the first need, for this user alone."""
        self._folder = folder
        self._bytes_max = bytes_max
        self._writing = trio.CapacityLimiter(1)  # what is left of the room is true for one at once

    async def put(self, key: str, file: Path) -> None:
        """Keep a file: see ``Blobs``."""
        await self._in_thread(partial(self._put, key, file))

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[Path]:
        """The kept file itself: it is to be read only. Raises AudioGone."""
        path = self._path(key)
        if not await trio.to_thread.run_sync(path.is_file):
            raise AudioGone
        yield path

    async def drop(self, key: str) -> None:
        """Keep it no more: see ``Blobs``."""
        await self._in_thread(partial(self._path(key).unlink, missing_ok=True))

    async def sweep(self, keep: Collection[str], *, older_than_s: float) -> None:
        """Drop what is not to be kept: see ``Blobs``."""
        before_s = time.time() - older_than_s
        await self._in_thread(partial(self._sweep, frozenset(keep), before_s))

    async def used_bytes(self) -> int:
        """The bytes of all files together."""
        return await self._in_thread(self._used_bytes)

    def _put(self, key: str, file: Path) -> None:
        target = self._path(key)
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._used_bytes() + file.stat().st_size > self._bytes_max:
            raise BlobsFull
        coming = self._folder / f"{UNFINISHED}{secrets.token_hex(8)}"
        try:
            _link_or_copy(file, coming)
            make_durable(coming)
            os.utime(coming)  # a link has the age of the file; a sweep asks for that of its putting
            coming.replace(target)
            make_durable(self._folder)
        finally:
            coming.unlink(missing_ok=True)  # also where both names were of one file already

    def _sweep(self, keep: frozenset[str], before_s: float) -> None:
        for entry in self._entries():
            with suppress(FileNotFoundError):  # another machine was quicker
                if entry.name not in keep and entry.stat().st_mtime < before_s:
                    os.unlink(entry)

    def _used_bytes(self) -> int:
        return sum(_size(entry) for entry in self._entries())

    def _entries(self) -> Iterator[os.DirEntry[str]]:
        with suppress(FileNotFoundError), os.scandir(self._folder) as entries:
            yield from entries

    def _path(self, key: str) -> Path:
        return self._folder / checked(key)

    async def _in_thread(self, do: Callable[[], T]) -> T:
        try:
            return await trio.to_thread.run_sync(do, limiter=self._writing)
        except OSError as error:
            raise explained(error) from error


def checked(key: str) -> str:
    """The key; ValueError if it could be anything else than a name."""
    if not NAME.fullmatch(key):
        raise ValueError("a blob's name is letters, digits, - and _, and dots between them")
    return key


def _link_or_copy(file: Path, target: Path) -> None:
    """Another name for the file if it is on the same disk and the disk has such, else a copy."""
    try:
        target.hardlink_to(file)
    except OSError:
        with file.open("rb") as source:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with open(descriptor, "wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)


def _size(entry: os.DirEntry[str]) -> int:
    try:
        return entry.stat().st_size
    except FileNotFoundError:  # dropped meanwhile
        return 0
