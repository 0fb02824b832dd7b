"""Our program as people start it: a process of its own, driven by signals, files and sockets."""

from __future__ import annotations

import re
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import httpx
import trio
import trio.testing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

RUN = Path(__file__).parents[2] / "run.py"
READY = re.compile(
    r"Ready on (?P<url>http://127\.0\.0\.1:\d+) with model (?P<model>\S+), on \w+ in \w+\.\n"
)


@dataclass(frozen=True)
class Server:
    """A server that has said it is ready; ``ready_s`` is what that took."""

    url: str
    model: str
    ready_s: float
    process: subprocess.Popen[bytes]
    spool: Path

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def exit_code(self) -> int:
        """What the process ends with, soon."""
        return self.process.wait(timeout=60)

    def scratch(self) -> list[str]:
        """The files that its requests keep on the disk."""
        return [file.name for file in self.spool.glob("*/*")]


@contextmanager
def serving(
    environment: Mapping[str, str],
    log: IO[bytes],
    program: Sequence[str] = (str(RUN),),
    **settings: str,
) -> Iterator[Server]:
    """A server for as long as the context lasts; leaving kills it if it is still there.

    ``program`` is what Python runs, in the root of the checkout. Its jobs are nobody else's, if
    nothing else is said: one folder is for one server.
    """
    began = time.monotonic()
    jobs = tempfile.TemporaryDirectory(prefix="asr-jobs-", ignore_cleanup_errors=True)
    process = subprocess.Popen(
        [sys.executable, *program],
        cwd=RUN.parent,
        env={"ASR_JOBS_DIR": jobs.name, **environment, **settings},
        stdout=subprocess.PIPE,
        stderr=log,
    )
    with jobs, process:
        assert process.stdout
        try:
            line = process.stdout.readline().decode()
            ready = READY.fullmatch(line)
            assert ready, line
            ready_s = time.monotonic() - began
            spool = Path(environment["CACHE_DIR"], "spool")
            yield Server(ready["url"], ready["model"], ready_s, process, spool)
        finally:
            process.kill()


def run(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """One command, to its end."""
    argv = [sys.executable, str(RUN), *arguments]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def client(url: str, **more: Any) -> httpx.AsyncClient:
    """A client that has patience with a server whose processor is busy."""
    return httpx.AsyncClient(base_url=url, timeout=60, **more)


def free_port() -> int:
    """A port that nobody has now, and that no connection of anybody's is given later."""
    while True:
        port = 20_000 + secrets.randbelow(10_000)  # connections get theirs from 32768 on
        with suppress(OSError), closing(socket.create_server(("127.0.0.1", port))):
            return port


def upload(file: Path, *, field: str = "audio_file") -> dict[str, tuple[str, bytes]]:
    """A file as httpx sends it in a form."""
    return {field: ("the client's name", file.read_bytes())}


async def until(happened: Callable[[], Awaitable[bool]], *, within_s: float = 20.0) -> None:
    """Look again and again until something outside of this process has happened."""
    with trio.fail_after(within_s):
        while not await happened():
            await trio.testing.wait_all_tasks_blocked(0.01)


async def in_flight(client: httpx.AsyncClient) -> int:
    """How many requests the server is at."""
    answer = await client.get("/queue-metrics")
    return int(answer.json()["queue"]["requests_in_flight"])
