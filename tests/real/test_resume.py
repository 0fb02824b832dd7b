"""A job whose process is killed goes on in the next, and its result is what it would have been."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from asr.pipeline.records import NOWHERE, load_heard
from tests.real import process, sounds
from tests.real.rig import rigged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.rig import Rig

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

FORMATS = ("txt", "srt", "vtt", "tsv", "json", "verbose_json", "diarized_json")

# What a model says of how sure it was, and how much of that the batch's other rows may change.
SURENESS = {"logprob", "avg_logprob"}
NOISE = 0.002  # the mean is shown with three digits, the last of which may turn

# Windows share the batch two by two; which ones is another matter the second time.
SETTINGS = {"PRELOAD_MODEL": "tiny.en", "BATCH_SIZE": "2", "ASR_CACHE_MAX_MB": "0"}


async def test_a_killed_job_decodes_only_what_it_had_not_and_says_the_same(
    environment: dict[str, str], log: Path, rig: Rig, tmp_path: Path
) -> None:
    sound = sounds.as_file(
        sounds.AUSTEN, tmp_path / "long.flac", "-t", "66", before=("-stream_loop", "-1")
    )
    jobs = tmp_path / "jobs"
    settings = SETTINGS | {"ASR_JOBS_DIR": str(jobs)}
    with log.open("ab") as stderr:
        rig.order("diarizer.begin", "hold")  # so it cannot have ended before it is killed
        program = rigged(rig, engine="real")
        with process.serving(environment, stderr, program, **settings) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
                job = await submit(client, sound)
                await process.until(partial(is_kept, jobs), within_s=90)
                server.process.kill()
                server.process.wait()
        known = tokens_kept(jobs)
        with process.serving(environment, stderr, **settings) as server:
            async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
                await done(client, job)
                again = await tokens(client)
                assert (await shown(client, job))["tries"] == 2
                disturbed = await results(client, job)
                another = await submit(client, sound)
                await done(client, another)
                whole = await tokens(client) - again
                undisturbed = await results(client, another)
    assert again <= whole - known
    for form in FORMATS:
        assert same(disturbed[form], undisturbed[form]), form


def same(one: httpx.Response, other: httpx.Response) -> bool:
    """Whether two answers are equal: to the byte, but for how sure the model was of a token.

    That is a sum over columns whose order depends on what else is in the batch.
    """
    if not one.headers["Content-Type"].startswith("application/json"):
        return one.content == other.content
    return agree(one.json(), other.json())


def agree(one: Any, other: Any) -> bool:
    if isinstance(one, dict):
        pairs = ((name, one[name], other.get(name)) for name in one)
        return one.keys() == other.keys() and all(
            mine == pytest.approx(yours, abs=NOISE) if name in SURENESS else agree(mine, yours)
            for name, mine, yours in pairs
        )
    if isinstance(one, list):
        return len(one) == len(other) and all(map(agree, one, other))
    return bool(one == other)


async def submit(client: httpx.AsyncClient, sound: Path) -> str:
    form = {"diarize": "true"}
    answer = await client.post("/v1/jobs", files=process.upload(sound), data=form)
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


async def shown(client: httpx.AsyncClient, job: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get(f"/v1/jobs/{job}")).json()
    return answer


async def is_kept(jobs: Path) -> bool:
    """Whether a window is on the disk."""
    return tokens_kept(jobs) > 0


def tokens_kept(jobs: Path) -> int:
    """How many tokens there are in the windows that are on the disk."""
    with closing(sqlite3.connect(jobs / "jobs.sqlite3")) as file:
        rows = file.execute("SELECT value FROM stage_entries WHERE key LIKE 'window.%'").fetchall()
    heard = (load_heard(value, NOWHERE) for (value,) in rows)
    return sum(len(piece.tokens) for each in heard for part in each for piece in part.pieces)


async def done(client: httpx.AsyncClient, job: str) -> None:
    """Return when a job is done."""

    async def happened() -> bool:
        state = (await shown(client, job))["state"]
        assert state in ("queued", "running", "done"), state
        return bool(state == "done")

    await process.until(happened, within_s=120)


async def results(client: httpx.AsyncClient, job: str) -> dict[str, httpx.Response]:
    return {
        form: await client.get(f"/v1/jobs/{job}/result", params={"format": form})
        for form in FORMATS
    }


async def tokens(client: httpx.AsyncClient) -> float:
    """How many this process has decoded."""
    lines = (await client.get("/metrics")).text.splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("asr_tokens_total "))
