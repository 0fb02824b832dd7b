"""The whole service as its users run it: ``run.py`` on a free port, in a process of its own."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from bench.memory import resident_mb
from bench.speech import ROOT


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is ready; ``ready`` is how it said so, ``ready_s`` what that took."""

    process: subprocess.Popen[str]
    url: str
    ready: str
    ready_s: float

    def resident_mb(self) -> float:
        return resident_mb(self.process.pid)


@contextmanager
def serving(
    log: IO[bytes] | None = None,
    /,
    *program: str,
    **settings: str,
) -> Iterator[Service]:
    """A service with these settings, and the environment's; it is asked to end afterwards.

    Its log goes into ``log``, if given, else where ours goes. ``program`` is what Python runs, if
    not ``run.py``.
    """
    # Nothing is kept unless that is the subject: a sound that is sent twice is twice the work.
    quiet = {"ASR_LOG_LEVEL": "warning", "ASR_CACHE_MAX_MB": "0"}
    environ = {**os.environ, **quiet, **settings, "PORT": "0"}
    began = time.perf_counter()
    command = [sys.executable, *(program or (str(ROOT / "run.py"),))]
    with subprocess.Popen(
        command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True
    ) as process:
        try:
            assert process.stdout is not None
            ready = process.stdout.readline().strip()
            found = re.search(r"http://\S+:\d+", ready)
            assert found, "the service did not start"
            yield Service(process, found[0], ready, time.perf_counter() - began)
        finally:
            process.terminate()
