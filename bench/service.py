"""What the running service costs: time to ready, memory of long work, and /health under load.

    uv run python -m bench.service [--hours 1.0] [--model base] [--diarize]

Starts ``run.py`` on a free port, twice (the second start has warm caches), and asks it over HTTP:
a body of 1 GiB, a minute of speech, then an hour of it, with /health probed all the while. With
--diarize two people speak, and who does is asked for, too.
"""

import argparse
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import httpx

from bench.machine import describe
from bench.serving import Service, serving
from bench.speech import SPEECH, TWO_PEOPLE, repeat

SETTINGS = MappingProxyType({"MAX_FILE_SIZE_MB": "2000"})
GIB = 1 << 30
PROBE_EVERY_S = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--model", default="base")
    parser.add_argument("--diarize", action="store_true")
    asked = parser.parse_args()
    speech = TWO_PEOPLE if asked.diarize else SPEECH
    settings = SETTINGS | {"PRELOAD_MODEL": asked.model}
    print(f"{describe()}; model {asked.model}, audio {speech.name} repeated")
    with serving(**settings) as service:
        print(f"first start: ready after {service.ready_s:.1f} s")
    with serving(**settings) as service:
        print(f"second start: ready after {service.ready_s:.1f} s")
        measure(Watch(service, diarize=asked.diarize), speech, asked.hours)


@dataclass(slots=True)
class Watch:
    """A running service, and what is seen of it from outside."""

    service: Service
    diarize: bool
    peak_mb: float = 0
    health_s: list[float] = field(default_factory=list)

    @contextmanager
    def watched(self, what: str) -> Iterator[None]:
        """Probe memory and /health while the body runs, and print what was seen."""
        before, self.peak_mb, self.health_s = self.service.resident_mb(), 0, []
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
            f"{what}: {taken:.1f} s;"
            f" resident {before:.0f} MB before, {self.peak_mb:.0f} MB at most;"
            f" /health p99 {p99_ms:.0f} ms of {len(self.health_s)}"
        )

    def _probe(self, done: threading.Event) -> None:
        with httpx.Client(base_url=self.service.url, timeout=30) as client:
            while not done.wait(PROBE_EVERY_S):
                began = time.perf_counter()
                client.get("/health")
                self.health_s.append(time.perf_counter() - began)
                self.peak_mb = max(self.peak_mb, self.service.resident_mb())


def measure(watch: Watch, speech: Path, hours: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        minute, long = Path(folder) / "minute.flac", Path(folder) / "long.flac"
        repeat(minute, 60, speech)
        repeat(long, hours * 3600, speech)
        transcribe(watch, minute)  # loads what finds speech
        with watch.watched("upload of 1 GiB, refused after all of it as no audio"):
            upload_junk(watch.service.url)
        with watch.watched("a minute of speech"):
            transcribe(watch, minute)
        with watch.watched(f"{hours:g} h of speech"):
            transcribe(watch, long)


def transcribe(watch: Watch, file: Path) -> None:
    asked: dict[str, str | bool] = {"output": "txt", "diarize": watch.diarize}
    with file.open("rb") as body:
        answer = httpx.post(
            f"{watch.service.url}/asr", params=asked, files={"audio_file": body}, timeout=None
        )
    answer.raise_for_status()
    assert "country" in answer.text.lower()
    assert ("[SPEAKER_01]" in answer.text) == watch.diarize


def upload_junk(url: str) -> None:
    with tempfile.TemporaryFile() as body:
        body.truncate(GIB)
        answer = httpx.post(f"{url}/asr?output=txt", files={"audio_file": body}, timeout=600)
    assert answer.status_code == 400, answer.text


if __name__ == "__main__":
    main()
