"""What a request costs that has been heard before, wholly or in part, and what it takes to keep it.

    uv run python -m bench.twice [--minutes 5] [--model base] [--times 3]

Starts ``run.py`` with a cache, and asks it for the same recording again and again, each time for
something else. Then what an hour takes on the disk. Last, a server without a cache and one with it
hear ``--times`` recordings each that nobody has heard: what the cache costs who comes first.
"""

import argparse
import sqlite3
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path
from types import MappingProxyType

import httpx

from bench.machine import describe
from bench.serving import serving
from bench.speech import TWO_PEOPLE, WARM_UP, repeat

FILE = "jobs.sqlite3"  # of ASR_JOBS_DIR
TIMEOUT_S = 3600.0

# What is asked for, one after the other.
ASKED = MappingProxyType(
    {
        "text, for the first time": {"output": "txt"},
        "the same once more": {"output": "txt"},
        "subtitles of it": {"output": "srt"},
        "with who speaks": {"output": "json", "diarize": "true"},
        "the same once more, too": {"output": "json", "diarize": "true"},
        "with another number of speakers": {
            "output": "json",
            "diarize": "true",
            "num_speakers": "3",
        },
    }
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--model", default="base")
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    seconds = 60 * asked.minutes
    print(f"{describe()}; model {asked.model}, {asked.minutes:g} minutes of {TWO_PEOPLE.name}")
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "sound.flac"
        settings = {"PRELOAD_MODEL": asked.model, "ASR_JOBS_DIR": f"{folder}/jobs"}
        repeat(sound, seconds, TWO_PEOPLE)
        ask_again(sound, {**settings, "ASR_CACHE_MAX_MB": "500"})
        tell_size(Path(folder) / "jobs" / FILE, seconds)
        settings["ASR_JOBS_DIR"] = f"{folder}/other"
        compare(Path(folder), settings, seconds, asked.times)


def ask_again(sound: Path, settings: dict[str, str]) -> None:
    """Print what each request takes."""
    with serving(**settings) as service, httpx.Client(base_url=service.url) as client:
        for what, query in ASKED.items():
            print(f"{what:32} {took_s(client, sound, query):8.2f} s", flush=True)


def tell_size(file: Path, seconds: float) -> None:
    """Print what the results of so much audio take, by stage."""
    query = """
        SELECT substr(key, 1, instr(key, '.') - 1), COUNT(*), SUM(length(value))
        FROM stage_entries GROUP BY 1
    """
    with closing(sqlite3.connect(file)) as journal:
        for stage, count, size in journal.execute(query):
            hours = seconds / 3600
            print(f"{stage:10} {count / hours:6.0f} entries, {size / hours / 1e3:8.1f} kB an hour")


def compare(folder: Path, settings: dict[str, str], seconds: float, times: int) -> None:
    """Print what recordings take that nobody has heard, without a cache and with one."""
    took: dict[str, list[float]] = {"without": [], "with": []}
    sound = folder / "new.flac"
    for which, size_mb in (("without", "0"), ("with", "500")):
        with (
            serving(**settings, ASR_CACHE_MAX_MB=size_mb) as service,
            httpx.Client(base_url=service.url) as client,
        ):
            took_s(client, WARM_UP, {})
            for shorter_s in range(times):  # no two are the same
                repeat(sound, seconds - shorter_s, TWO_PEOPLE)
                took[which].append(took_s(client, sound, {}) / (seconds - shorter_s))
    for which, figures in took.items():
        print(
            f"{which:>7} a cache: {1e3 * statistics.median(figures):6.2f} ms a second of audio"
            f" (from {1e3 * min(figures):.2f} to {1e3 * max(figures):.2f})"
        )


def took_s(client: httpx.Client, sound: Path, query: dict[str, str]) -> float:
    """How long a request takes."""
    began_s = time.perf_counter()
    with sound.open("rb") as file:
        answer = client.post("/asr", params=query, files={"audio_file": file}, timeout=TIMEOUT_S)
    answer.raise_for_status()
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
