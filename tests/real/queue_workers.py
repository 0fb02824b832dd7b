"""Worker processes of a shared queue, to be killed, frozen and ended: see ``queue_worker.py``."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Line:
    """Something that happened to a job in a worker, and when (monotonic, in s)."""

    word: str
    job: str
    pid: int
    at_s: float


def lines(log: Path) -> list[Line]:
    """What has happened so far."""
    text = log.read_text() if log.exists() else ""
    parts = (line.split() for line in text.splitlines())
    return [Line(word, job, int(pid), float(at_s)) for word, job, pid, at_s in parts]


@contextmanager
def workers(
    count: int, url: str, log: Path, *, lease_s: float, slots: int, work_s: float
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """So many of them, all ready; killed at the end."""
    words = (url, str(lease_s), str(slots), str(work_s), str(log))
    argv = (sys.executable, "-m", "tests.real.queue_worker", *words)
    with ExitStack() as held:
        started = [
            held.enter_context(subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE))
            for _ in range(count)
        ]
        for process in started:
            held.callback(process.kill)
        for process in started:
            assert process.stdout
            assert process.stdout.readline() == b"ready\n"
        yield started
