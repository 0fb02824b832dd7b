"""The upload receiver: owns the spool folder, and is the one task that writes to it."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeAlias

import trio

from asr.actors.budget import Budget
from asr.actors.settings import HouseSettings
from asr.actors.spool import Files, own_folder
from asr.actors.thread import InThread, lent_thread
from asr.pipeline.setting import MEGABYTE

# Gathered before it is sent: a thread hop costs 0.1 ms, so that is nothing beside 1 MiB of disk.
GATHER_BYTES = 1 << 20

UPLOADS_MAX = 128  # each holds a descriptor, and up to 1 MiB of memory while it arrives

# Parts that wait for the disk; past that, uploads wait to send theirs, and clients theirs.
INBOX_MAX = 4


@dataclass(frozen=True, slots=True)
class Limits:
    """What uploads may take, and what they must leave of the disk."""

    upload_bytes_max: int
    all_bytes_max: int
    uploads_max: int = UPLOADS_MAX
    client_max: int | None = None  # of one client; None: all
    free_min_bytes: int = 500_000_000  # what else lives on the disk can go on


def limits(settings: HouseSettings) -> Limits:
    """What the operator's settings come to."""
    return Limits(
        upload_bytes_max=settings.max_file_size_mb * MEGABYTE,
        all_bytes_max=settings.uploads_max_mb * MEGABYTE,
        client_max=settings.client_max,
        free_min_bytes=settings.disk_free_min_mb * MEGABYTE,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Upload:
    """A file of the spool, and whether its owner has left."""

    path: Path
    left: trio.Event


@dataclass(frozen=True, slots=True, eq=False)
class Store:
    """Put this at the end of that file, and say what went wrong, if anything."""

    upload: Upload
    data: bytearray
    reply: trio.MemorySendChannel[Exception | None]


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody has left a file: look which. One that waits unread stands for all."""


Message: TypeAlias = Store | Left


@dataclass(frozen=True, slots=True)
class ReceiverStats:
    """Uploads in flight, and the bytes that they hold or have announced."""

    uploads: int
    bytes: int


class Spool:
    """Where an upload goes. A write that was cancelled is not taken up again: leave the context."""

    def __init__(
        self, upload: Upload, budget: Budget, post: trio.MemorySendChannel[Message]
    ) -> None:
        self.path = upload.path
        self.size = 0
        self._upload = upload
        self._budget = budget
        self._post = post
        self._gathered = bytearray()

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Take more of the file; waits for the disk. Raises TooLarge, Busy or StorageFull."""
        self._budget.grow(self._upload, self.size + len(data))
        self.size += len(data)
        self._gathered += data
        if len(self._gathered) >= GATHER_BYTES:
            await self._store()

    async def finish(self) -> None:
        """All is in the file once this returns; an empty upload is an empty file."""
        await self._store()

    async def _store(self) -> None:
        data, self._gathered = self._gathered, bytearray()
        reply, stored = trio.open_memory_channel[Exception | None](1)
        await self._post.send(Store(self._upload, data, reply))
        error = await stored.receive()
        if error is not None:
            raise error


class Receiver:
    """Where uploads are taken in. Made by ``run_receiver``."""

    def __init__(
        self, folder: Path, files: Files, budget: Budget, post: trio.MemorySendChannel[Message]
    ) -> None:
        self._folder = folder
        self._files = files
        self._budget = budget
        self._post = post
        self._numbers = count(1)

    @property
    def max_bytes(self) -> int:
        """The largest upload."""
        return self._budget.each_max

    def stats(self) -> ReceiverStats:
        return ReceiverStats(self._budget.uploads, self._budget.bytes)

    def check_room(self) -> None:
        """Raise StorageFull if the disk has less left than it must."""
        self._files.check_room()

    @asynccontextmanager
    async def open(
        self, *, declared_bytes: int | None = None, client: str | None = ""
    ) -> AsyncIterator[Spool]:
        """A new file of the spool, deleted on leaving. Raises TooLarge, Busy or StorageFull."""
        upload = Upload(self._unused(".upload"), trio.Event())
        self._budget.open(upload, declared_bytes or 0, client=client)
        try:
            self._files.check_room(declared_bytes or 0)
            yield Spool(upload, self._budget, self._post)
        finally:
            self._budget.close(upload)
            upload.path.unlink(missing_ok=True)  # only the name: the actor has the file still open
            upload.left.set()
            self._say_left()

    @contextmanager
    def scratch(self, suffix: str) -> Iterator[Path]:
        """An unused path in the spool; what was put there is deleted on leaving."""
        self._files.check_room()
        path = self._unused(suffix)
        try:
            yield path
        finally:
            self._files.forget(path)
            self._say_left()

    def _unused(self, suffix: str) -> Path:
        return self._folder / f"{next(self._numbers)}{suffix}"

    def _say_left(self) -> None:
        # A full inbox has mail after which the actor looks anyway; a closed one needs no look.
        with suppress(trio.WouldBlock, trio.BrokenResourceError):
            self._post.send_nowait(Left())


def disk_free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


async def run_receiver(
    root: Path,
    limits: Limits,
    *,
    in_thread: InThread | None = None,
    free_bytes: Callable[[Path], int] = disk_free_bytes,
    task_status: trio.TaskStatus[Receiver] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Write what arrives, one part at a time; ``started`` with the receiver's address.

    What the folder of a dead run left behind is deleted first, and this run's own at the end.
    """
    on_disk = in_thread or lent_thread()
    post, inbox = trio.open_memory_channel[Message](INBOX_MAX)
    budget = Budget(
        each_max=limits.upload_bytes_max,
        all_max=limits.all_bytes_max,
        uploads_max=limits.uploads_max,
        client_max=limits.client_max,
    )
    with own_folder(root) as folder, inbox:
        files = Files(lambda: free_bytes(folder), free_min_bytes=limits.free_min_bytes)
        task_status.started(Receiver(folder, files, budget, post))
        try:
            await _serve(inbox, files, on_disk)
        finally:
            files.close()


async def _serve(
    inbox: trio.MemoryReceiveChannel[Message], files: Files, on_disk: InThread
) -> None:
    uploads: dict[Path, Upload] = {}
    async for message in inbox:
        if isinstance(message, Store) and not message.upload.left.is_set():
            upload = message.upload
            uploads[upload.path] = upload
            message.reply.send_nowait(await on_disk(files.append, upload.path, message.data))
        for upload in [upload for upload in uploads.values() if upload.left.is_set()]:
            await on_disk(files.drop, upload.path)
            del uploads[upload.path]
        if files.forgotten:
            await on_disk(files.free)
