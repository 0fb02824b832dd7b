"""The API's description against the server itself: thousands of requests that it allows or forbids.

No 5xx, and no status, type, header or object that the description does not have.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from tests.real import process

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.timeout(400)]

ROOT = Path(__file__).parents[2]
RUN_S = 25  # of requests; a busy machine makes fewer of them
# Not among them: whether what the description forbids is refused. Forms are read as people write
# them, and more is taken than is described.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "missing_required_header",
    "ignored_auth",
)
LISTENING = (
    "/asr",
    "/detect-language",
    "/v1/audio/transcriptions",
    "/v1/audio/translations",
    "/openai/deployments/<path:name>/audio/transcriptions",
    "/openai/deployments/<path:name>/audio/translations",
)


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, PRELOAD_MODEL="tiny.en") as server,
    ):
        yield server


def test_what_is_described_and_what_is_answered_are_the_same(
    server: process.Server, environment: dict[str, str], tmp_path: Path
) -> None:
    told = attack(f"{server.url}/openapi.json", environment, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["failures"], report["errors"]) == ([], []), told
    assert report["operations"]["tested"] == report["operations"]["total"] == 22
    assert report["test_cases"]["generated"] > 3 * report["operations"]["total"]
    metrics = httpx.get(f"{server.url}/metrics", timeout=60).text
    heard = re.findall(r'whisperx_requests_total{endpoint="([^"]+)",status="200"}', metrics)
    assert set(LISTENING) <= set(heard)  # not only refusals were looked at
    assert 'whisperx_requests_total{endpoint="/v1/jobs",status="202"}' in metrics


def attack(url: str, environment: dict[str, str], folder: Path) -> str:
    """Run schemathesis, always the same; returns what it says."""
    argv = [sys.executable, "-m", "schemathesis.cli", "run", url]
    options = {
        "--phases": "examples,coverage,fuzzing",
        "--checks": ",".join(CHECKS),
        "--max-time": str(RUN_S),
        "--report": "json",
        "--report-json-path": str(folder / "report.json"),
        "--warnings": "off",
        "--request-timeout": "90",  # s; the first one for a model waits for it
    }
    flags = ["--generation-deterministic", "--no-color"]
    ran = subprocess.run(
        [*argv, *flags, *(word for option in options.items() for word in option)],
        cwd=folder,
        env={**environment, "PYTHONPATH": str(ROOT), "SCHEMATHESIS_HOOKS": "tests.real.real_audio"},
        capture_output=True,
        text=True,
        check=False,
    )
    return re.sub(r"(\\x00)+", "…", ran.stdout) + ran.stderr  # silence says nothing
