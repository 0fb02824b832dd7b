"""What README and docs/CLIENTS.md tell people to type: curl lines and Python, as they stand."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from tests.real import sounds

if TYPE_CHECKING:
    from tests.real.process import Server

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```(?P<language>\w+)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = "\n".join((ROOT / name).read_text() for name in ("README.md", "docs/CLIENTS.md"))
BLOCKS = [match.groupdict() for match in BLOCK.finditer(PAGES)]
SHELL = "\n".join(block["code"] for block in BLOCKS if block["language"] == "sh")
CURLS = [line for line in SHELL.replace("\\\n", " ").splitlines() if "curl " in line]
PYTHON = [each["code"] for each in BLOCKS if each["language"] == "python"]
ADDRESS = "http://127.0.0.1:9001"


def test_there_is_something_to_try() -> None:
    assert CURLS
    assert PYTHON
    assert all(ADDRESS in each for each in (*CURLS, *PYTHON))


@pytest.mark.parametrize("line", CURLS)
async def test_curl_gets_an_answer(server: Server, line: str) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    own = line.replace(ADDRESS, server.url).replace("talk.mp3", shlex.quote(str(sounds.JFK)))
    strict = own.replace("curl ", "curl --fail-with-body --silent --show-error ")
    done = await trio.run_process(
        ["sh", "-c", strict], cwd=ROOT, capture_stdout=True, capture_stderr=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode() + done.stdout.decode()
    assert done.stdout


@pytest.mark.parametrize("code", PYTHON)
async def test_python_gets_the_text(server: Server, tmp_path: Path, code: str) -> None:
    shutil.copy(sounds.JFK, tmp_path / "talk.mp3")
    argv = [sys.executable, "-c", code.replace(ADDRESS, server.url)]
    done = await trio.run_process(argv, cwd=tmp_path, capture_stdout=True)
    assert "what your country can do for you" in done.stdout.decode().lower()
