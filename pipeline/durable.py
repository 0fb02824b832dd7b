"""What was written outlives a loss of power."""

import os
import sys
from contextlib import suppress
from pathlib import Path


def make_durable(path: Path) -> None:
    """Have a file's bytes, or a folder's names, on the disk once this returns. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        _flush(descriptor)
    finally:
        os.close(descriptor)


def _flush(descriptor: int) -> None:
    if sys.platform == "darwin":  # where fsync leaves the bytes in the disk's own cache
        import fcntl

        with suppress(OSError):  # not on every kind of disk, nor of folders
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)
