"""What the running service costs: time to ready, memory of long work, and /health under load.

    uv run python -m bench.service [--hours 1.0]

Starts ``run.py`` on a free port, twice (the second start has warm caches), and asks it over HTTP:
a body of 1 GiB, a minute of speech, then an hour of it, with /health probed all the while.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from bench.machine import describe

ROOT = Path(__file__).resolve().parent.parent
SPEECH = ROOT / "tests" / "audio" / "austen-kennedy-44s.flac"
GIB = 1 << 30
PROBE_EVERY_S = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    hours = parser.parse_args().hours
    print(f"{describe()}; model base, audio {SPEECH.name} repeated")
    with service() as (_, ready_s):
        print(f"first start: ready after {ready_s:.1f} s")
    with service() as (server, ready_s):
        print(f"second start: ready after {ready_s:.1f} s")
        measure(server, hours)


@dataclass(slots=True)
class Server:
    """A running service, and what is seen of it from outside."""

    process: subprocess.Popen[str]
    url: str
    peak_kib: int = 0
    health_s: list[float] = field(default_factory=list)

    def resident_kib(self) -> int:
        command = ["ps", "-o", "rss=", "-p", str(self.process.pid)]
        return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    @contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Probe memory and /health while the body runs, and print what was seen."""
        before, self.peak_kib, self.health_s = self.resident_kib(), 0, []
        done = threading.Event()
        probe = threading.Thread(target=self._probe, args=(done,))
        began = time.perf_counter()
        probe.start()
        try:
            yield
        finally:
            done.set()
            probe.join()
        taken = time.perf_counter() - began
        p99_ms = statistics.quantiles(self.health_s, n=100)[98] * 1000
        print(
            f"{what}: {taken:.1f} s; resident {before / 1024:.0f} MiB before,"
            f" {self.peak_kib / 1024:.0f} MiB at most;"
            f" /health p99 {p99_ms:.0f} ms of {len(self.health_s)}"
        )

    def _probe(self, done: threading.Event) -> None:
        with httpx.Client(base_url=self.url, timeout=30) as client:
            while not done.wait(PROBE_EVERY_S):
                began = time.perf_counter()
                client.get("/health")
                self.health_s.append(time.perf_counter() - began)
                self.peak_kib = max(self.peak_kib, self.resident_kib())


def measure(server: Server, hours: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        minute, long = Path(folder) / "minute.flac", Path(folder) / "long.flac"
        repeat_speech(minute, 60)
        repeat_speech(long, hours * 3600)
        transcribe(server, minute)  # loads what finds speech
        with server.watched("upload of 1 GiB, refused after all of it as no audio"):
            upload_junk(server)
        with server.watched("a minute of speech"):
            transcribe(server, minute)
        with server.watched(f"{hours:g} h of speech"):
            transcribe(server, long)


@contextmanager
def service() -> Iterator[tuple[Server, float]]:
    environ = {
        **os.environ,
        "PORT": "0",
        "PRELOAD_MODEL": "base",
        "ASR_LOG_LEVEL": "warning",
        "MAX_FILE_SIZE_MB": "2000",
    }
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "run.py")], env=environ, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+:\d+", process.stdout.readline())
        assert found, "the service did not start"
        yield Server(process, found[0]), time.perf_counter() - began
    finally:
        process.terminate()
        process.wait()


def transcribe(server: Server, file: Path) -> None:
    with file.open("rb") as body:
        answer = httpx.post(
            f"{server.url}/asr?output=txt", files={"audio_file": body}, timeout=None
        )
    answer.raise_for_status()
    assert "americans" in answer.text.lower()


def upload_junk(server: Server) -> None:
    with tempfile.TemporaryFile() as body:
        body.truncate(GIB)
        answer = httpx.post(f"{server.url}/asr?output=txt", files={"audio_file": body}, timeout=600)
    assert answer.status_code == 400, answer.text


def repeat_speech(target: Path, seconds: float) -> None:
    from asr.actors.ffmpeg import find_ffmpeg

    subprocess.run(
        [
            *(find_ffmpeg(), "-y", "-loglevel", "error", "-stream_loop", "-1"),
            *("-i", str(SPEECH), "-t", str(seconds), str(target)),
        ],
        check=True,
    )


if __name__ == "__main__":
    main()
