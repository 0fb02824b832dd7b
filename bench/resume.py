"""What a kill costs a job: how much audio is decoded again, and how long until its result is there.

    uv run python -m bench.resume [--minutes 5] [--model base] [--kills 5] [--batch 8]

A job is done by one process. Then each of ``--kills`` jobs for the same recording has its process
killed (SIGKILL) at another moment, the first soon after it has begun and the last shortly before
its end; the next process goes on. Tokens are counted: those that the killed process had decoded and
not kept are the waste, as the share of the recording's audio that they stand for.
"""

import argparse
import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

import httpx

from asr.pipeline.records import NOWHERE, load_heard
from bench.machine import describe
from bench.serving import Service, serving
from bench.speech import SPEECH, repeat

FILE = "jobs.sqlite3"  # of ASR_JOBS_DIR
LOOK_EVERY_S = 0.05
WINDOW_S = 30.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--model", default="base")
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    asked = parser.parse_args()
    seconds = 60 * asked.minutes
    print(f"{describe()}; model {asked.model}, batch of {asked.batch}, {seconds:g} s of speech")
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.flac"
        repeat(sound, seconds, SPEECH)
        settings = {"PRELOAD_MODEL": asked.model, "BATCH_SIZE": str(asked.batch)}
        whole, took_s = undisturbed(sound, settings, Path(folder) / "whole")
        print(f"undisturbed: {took_s:.1f} s, {whole:.0f} tokens")
        for number in range(asked.kills):
            share = (number + 0.5) / asked.kills
            jobs = Path(folder) / str(number)
            killed_at(share, sound, settings, jobs, whole, seconds)


def undisturbed(sound: Path, settings: dict[str, str], jobs: Path) -> tuple[float, float]:
    """How many tokens the recording has, and how long it takes."""
    with serving(**settings, ASR_JOBS_DIR=str(jobs)) as service:
        began_s = time.perf_counter()
        job = submit(service, sound)
        wait_done(service, job)
        return tokens(service), time.perf_counter() - began_s


def killed_at(
    share: float, sound: Path, settings: dict[str, str], jobs: Path, whole: float, seconds: float
) -> None:
    """Print what is lost when so much of the tokens has been decoded."""
    with serving(**settings, ASR_JOBS_DIR=str(jobs)) as service:
        job = submit(service, sound)
        while (done := tokens(service)) < share * whole:
            time.sleep(LOOK_EVERY_S)
        service.process.kill()
        service.process.wait()
    known = tokens_kept(jobs)
    began_s = time.perf_counter()
    with serving(**settings, ASR_JOBS_DIR=str(jobs)) as service:
        wait_done(service, job)
        took_s = time.perf_counter() - began_s
        again = tokens(service)
    wasted_s = seconds * (done + again - whole) / whole
    print(
        f"killed at {100 * done / whole:3.0f} %: {100 * known / whole:3.0f} % was kept, "
        f"{again:.0f} tokens were decoded after, {wasted_s:5.1f} s of audio twice "
        f"({wasted_s / WINDOW_S:.1f} windows), {took_s:.1f} s from the restart to the result",
        flush=True,
    )


def submit(service: Service, sound: Path) -> str:
    """A job for the recording: its id."""
    with sound.open("rb") as file:
        answer = httpx.post(f"{service.url}/v1/jobs", files={"file": file}, timeout=60)
    answer.raise_for_status()
    return str(answer.json()["id"])


def wait_done(service: Service, job: str) -> None:
    """Return when a job is done."""
    while (state := httpx.get(f"{service.url}/v1/jobs/{job}").json()["state"]) != "done":
        assert state in ("queued", "running"), state
        time.sleep(LOOK_EVERY_S)


def tokens(service: Service) -> float:
    """How many a process has decoded."""
    lines = httpx.get(f"{service.url}/metrics").text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("asr_tokens_total "))


def tokens_kept(jobs: Path) -> int:
    """How many there are in the windows that are on the disk, timestamps included."""
    with closing(sqlite3.connect(jobs / FILE)) as journal:
        query = "SELECT value FROM stage_entries WHERE key LIKE 'window.%'"
        values = [value for (value,) in journal.execute(query)]
    heard = (part for value in values for part in load_heard(value, NOWHERE))
    return sum(len(piece.tokens) for part in heard for piece in part.pieces)


if __name__ == "__main__":
    main()
