"""``asr-service jobs`` and a server, both as people start them. The engine says "word"."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.real import process, sounds
from tests.real.rig import Rig, serving_fake
from tests.terminal.jobs_command import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

KEY = "open-sesame"
STEP = "engine.advance"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = str(tmp_path_factory.mktemp("jobs"))
    return {"ASR_JOBS_DIR": folder, "API_KEYS": KEY, "ASR_CACHE_MAX_MB": "0"}


@pytest.fixture(scope="module")
def server(
    environment: dict[str, str], log: Path, orders: Rig, settings: dict[str, str]
) -> Iterator[process.Server]:
    with serving_fake(environment, log, orders, **settings) as server:
        yield server


@dataclass(frozen=True)
class Done:
    """What a command came to."""

    code: int
    stdout: str
    stderr: str


def jobs(url: str, *words: str) -> Done:
    """A command in this process: starting one takes longer than all that it does."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = run(*words, "--url", url, "--key", KEY)
    return Done(code, out.getvalue(), err.getvalue())


def lines(done: Done) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_file_becomes_text_and_the_same_command_no_second_job(
    environment: dict[str, str], server: process.Server, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = ("submit", str(sounds.JFK), "--format", "srt", "-o", str(out))
    first = process.run(environment, "jobs", *said, "--url", server.url, "--key", KEY)
    assert (first.returncode, first.stdout, first.stderr) == (0, "", "")
    subtitles = (out / "jfk.srt").read_text()
    assert "\nword\n" in subtitles
    (out / "jfk.srt").unlink()
    assert jobs(server.url, *said).code == 0
    assert (out / "jfk.srt").read_text() == subtitles
    (job,) = lines(jobs(server.url, "list", "--json"))
    assert (job["state"], job["file_name"], job["tries"]) == ("done", "jfk.flac", 1)
    text = jobs(server.url, "result", job["id"])
    assert (text.stdout, text.stderr) == ("word\n", "")
    assert jobs(server.url, "delete", job["id"]).code == 0
    assert jobs(server.url, "result", job["id"]).code == 1


def test_a_job_at_work_is_seen_and_ended(server: process.Server, orders: Rig) -> None:
    orders.order(STEP, "hold")
    sent = jobs(server.url, "submit", str(sounds.JFK), "--again")
    job_id = sent.stdout.strip()
    trio.run(orders.held, STEP)
    assert "running" in jobs(server.url, "list", "--state", "running").stdout
    early = jobs(server.url, "result", job_id)
    assert (early.code, "running" in early.stderr) == (1, True)
    assert jobs(server.url, "cancel", job_id).code == 0
    orders.lift(STEP)
    watched = jobs(server.url, "watch", job_id)
    assert (watched.code, watched.stderr) == (1, "jfk.flac: it was cancelled\n")
    assert jobs(server.url, "delete", job_id).code == 0
    gone = jobs(server.url, "show", job_id)
    assert (gone.code, gone.stderr) == (1, "asr-service: There is no such job\n")


def test_without_the_right_key_nobody_is_served(server: process.Server) -> None:
    assert run("list", "--url", server.url, "--key", "wrong") == 2


def test_who_watches_is_there_when_the_server_comes_back(
    environment: dict[str, str], log: Path, rig: Rig, tmp_path: Path
) -> None:
    port = str(process.free_port())
    settings = {"ASR_JOBS_DIR": str(tmp_path / "jobs"), "API_KEYS": KEY, "PORT": port}
    rig.order(STEP, "hold")
    with serving_fake(environment, log, rig, **settings) as server:
        url = server.url
        job_id = jobs(url, "submit", str(sounds.JFK)).stdout.strip()
        trio.run(rig.held, STEP)
        argv = [sys.executable, str(process.RUN), "jobs", "watch", job_id, "--json"]
        with subprocess.Popen(
            [*argv, "--url", url, "--key", KEY],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as watcher:
            assert watcher.stdout
            assert watcher.stderr
            heard = [json.loads(watcher.stdout.readline())]
            server.process.kill()
            server.process.wait()
            rig.lift(STEP)
            with serving_fake(environment, log, rig, **settings):
                heard += [json.loads(line) for line in watcher.stdout]
                said = watcher.stderr.read()
    assert (watcher.returncode, heard[-1]["event"]) == (0, "done")
    assert [each["number"] for each in heard if each["number"]] == list(range(1, len(heard) + 1))
    assert "trying again" in said
