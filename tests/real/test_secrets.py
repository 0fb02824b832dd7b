"""What is secret or private is told nobody: not in the log at its loudest, not in any answer.

Everything secret that the server is given here holds one mark, which is then looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.real import process, sounds
from tests.real.rig import Rig, rigged

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

MARK = "7f3a9zq"  # no hexadecimal number
NAME = "my diary"  # of a file: who sent it may hear it again, the log may not
KEY = f"key-{MARK}"
SETTINGS = {
    "API_KEYS": f"other-{MARK},{KEY}",
    "HF_TOKEN": f"hf_{MARK}",
    "ASR_URL_ALLOWED": "true",
    "ASR_LOG_LEVEL": "debug",
}
PUBLIC = ("/", "/health", "/docs/", "/openapi.json")
KEYED = ("/metrics", "/queue-metrics", "/v1/models", "/v1/models/none")


def requests(client: httpx.Client, rig: Rig) -> list[httpx.Response]:
    """Good ones, refused ones, failing ones, with secrets wherever clients may put them."""
    key = {"Authorization": f"Bearer {KEY}"}
    file = {"audio_file": (f"{NAME}.flac", sounds.JFK.read_bytes(), "audio/flac")}
    junk = {"audio_file": (f"{NAME}.mp3", b"no audio", "audio/mpeg")}
    prompt = {"output": "json", "initial_prompt": f"a name {MARK}", "token": MARK}
    url = f"http://user:{MARK}@127.0.0.1:9/a?signature={MARK}"
    answers = [client.get(path) for path in (*PUBLIC, *KEYED)]
    answers += [client.get(path, headers=key) for path in KEYED]
    answers += [
        client.post("/asr", params=prompt, files=file, headers=key),
        client.post("/asr", params=prompt, files=file, headers={"api-key": f"wrong-{MARK}"}),
        client.post("/asr", params=prompt, files=file, auth=("user", MARK)),
        client.post("/asr", params=prompt, files=junk, headers=key),
        client.post("/asr", params=prompt, data={"url": url}, headers=key),
        client.post("/asr", params={**prompt, "output": MARK[:3]}, files=file, headers=key),
    ]
    rig.order("engine.advance", "crash", always=True)
    answers.append(client.post("/asr", params=prompt, files=file, headers=key))
    rig.lift("engine.advance")
    return answers


def test_nothing_secret_or_private_is_told(
    environment: dict[str, str], tmp_path: Path, rig: Rig
) -> None:
    log = tmp_path / "log"
    program = rigged(rig, engine="fake")
    with (
        log.open("wb") as stderr,
        process.serving(environment, stderr, program, **SETTINGS) as server,
        httpx.Client(base_url=server.url, timeout=200) as client,
    ):
        answers = requests(client, rig)
    statuses = [answer.status_code for answer in answers]
    assert {200, 400, 401, 500} <= set(statuses), statuses
    told = [f"{answer.status_code} {answer.headers} {answer.text}" for answer in answers]
    assert [text for text in told if MARK in text] == []
    said = log.read_text()
    assert '"level": "debug"' in said
    assert [line for line in said.splitlines() if MARK in line or NAME in line] == []
