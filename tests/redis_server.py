"""A real Redis of a test's own."""

import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

READY_S = 10.0
LOOK_EVERY_S = 0.005


def needs(program: str) -> pytest.MarkDecorator:
    """Skips where there is no such server; where there has to be one, that fails."""
    absent = shutil.which(program) is None and "CI" not in os.environ
    return pytest.mark.skipif(absent, reason=f"there is no {program} here")


needs_redis = needs("redis-server")
needs_valkey = needs("valkey-server")

# For tests that want each of them.
SERVERS = (
    pytest.param("redis-server", marks=needs_redis),
    pytest.param("valkey-server", marks=needs_valkey),
)


@contextmanager
def redis_server(folder: Path, *more: str, program: str = "redis-server") -> Iterator[str]:
    """The address of a server that listens on a socket in the folder, and nowhere else."""
    folder.mkdir(exist_ok=True)
    with running(folder, *more, program=program):
        yield address(folder)


def address(folder: Path) -> str:
    """Where a server in the folder is reached."""
    return f"unix://{folder / 's'}"


@contextmanager
def running(
    folder: Path, *more: str, program: str = "redis-server"
) -> Iterator[subprocess.Popen[bytes]]:
    """A server for as long as the context lasts; ``more`` are its arguments."""
    path = folder / "s"
    path.unlink(missing_ok=True)
    where = ("--port", "0", "--unixsocket", str(path), "--dir", str(folder))
    kept = () if "--appendonly" in more else ("--appendonly", "no")
    server = subprocess.Popen(
        (program, *where, "--save", "", *kept, *more), stdout=subprocess.DEVNULL
    )
    try:
        _wait_for(path, server)
        yield server
    finally:
        server.kill()
        server.wait()


def _wait_for(path: Path, server: subprocess.Popen[bytes]) -> None:
    clock = threading.Event()  # which nobody sets
    until_s = time.monotonic() + READY_S
    while not _listens(path):
        assert server.poll() is None, "the server ended"
        assert time.monotonic() < until_s, "the server does not listen at its socket"
        clock.wait(LOOK_EVERY_S)


def _listens(path: Path) -> bool:
    """Whether a server takes connections there: the socket exists before it does."""
    with socket.socket(socket.AF_UNIX) as link:
        return link.connect_ex(str(path)) == 0
