"""The spool on the disk: a folder of this process alone, and the files being written in it.

Nearly everything here blocks, so the receiver calls it in a thread.
"""

import errno
import fcntl
import os
import shutil
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from asr.pipeline.errors import StorageFull

PREFIX = "asr-spool-"


@contextmanager
def own_folder(root: Path) -> Iterator[Path]:
    """A folder for this process alone (0700), gone on leaving; those of dead processes go first.

    Its name holds the process's number for people. What tells that the owner lives is a lock, as
    numbers are used again: in a container every run has the same one.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(root, wait=True):  # nobody sweeps a folder between its making and its locking
        for folder in root.glob(f"{PREFIX}*"):
            _remove_if_dead(folder)
        folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=root))
        lock = _lock(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


class Files:
    """The files being written, by path, and the room that must stay free beside them."""

    def __init__(self, free_bytes: Callable[[], int], *, free_min_bytes: int) -> None:
        self._free_bytes = free_bytes
        self._free_min_bytes = free_min_bytes
        self._open: dict[Path, int] = {}
        self._nameless: deque[int] = deque()

    def __iter__(self) -> Iterator[Path]:
        return iter(tuple(self._open))

    def append(self, path: Path, data: bytes | bytearray) -> Exception | None:
        """Write to the end of a file, made by its first write; or say why not."""
        try:
            self.check_room(len(data))
            if path not in self._open:
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
                self._open[path] = os.open(path, flags, 0o600)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._open[path], rest) :]
        except StorageFull as error:
            return error
        except OSError as error:
            return explained(error)
        return None

    def check_room(self, size: int = 0) -> None:
        """Raise StorageFull unless so many bytes more leave enough of the disk free."""
        if self._free_bytes() - size < self._free_min_bytes:
            raise StorageFull

    def drop(self, path: Path) -> None:
        """Close and delete a file; the time that a large one takes is spent here, in the thread."""
        path.unlink(missing_ok=True)
        if path in self._open:  # not if its first write had failed
            with suppress(OSError):  # a disk in the network says only here that it was full
                os.close(self._open.pop(path))

    @property
    def forgotten(self) -> bool:
        """Whether there is something for ``free`` to do."""
        return bool(self._nameless)

    def forget(self, path: Path) -> None:
        """Delete the name of a file, which takes no time; its bytes go with ``free``, which may.

        Measured on ext4: 0.07 to 0.25 s for the samples of ten hours.
        """
        with suppress(OSError):  # there is none, or no descriptor is to be had: at once, then
            self._nameless.append(os.open(path, os.O_RDONLY))
        path.unlink(missing_ok=True)

    def free(self) -> None:
        """Give back the bytes of the files that were forgotten."""
        while self._nameless:
            os.close(self._nameless.popleft())

    def close(self) -> None:
        for path in self:
            self.drop(path)
        self.free()


def explained(error: OSError) -> Exception:
    """A full disk or quota by its own name; any other trouble of the disk as it is."""
    return StorageFull() if error.errno in {errno.ENOSPC, errno.EDQUOT} else error


def _remove_if_dead(folder: Path) -> None:
    # In use, another user's, or gone already: not ours to remove.
    with suppress(OSError), _locked(folder, wait=False):
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, *, wait: bool) -> Iterator[None]:
    lock = _lock(folder, wait=wait)
    try:
        yield
    finally:
        os.close(lock)


def _lock(folder: Path, *, wait: bool = False) -> int:
    """The lock on a folder, held until the returned descriptor is closed or its process ends."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
