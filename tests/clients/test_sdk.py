"""OpenAI's SDK for Python, each major version in an environment of its own (sdk/)."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import pytest
import trio

from tests.clients.conftest import KEYS
from tests.clients.sdk.guarded import GUARDED, who_is_sent_away_comes_again
from tests.clients.sdk.open import OPEN
from tests.real import process, sounds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tests.clients.sdk.case import Case
    from tests.real.process import Server

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]  # a busy machine takes its time

ROOT = Path(__file__).parents[2]
VERSIONS = {"1": "openai>=1.109,<2", "2": "openai>=2,<3", "3": "openai>=3,<4"}
BEARER = {"Authorization": f"Bearer {KEYS[0]}"}


def names(checks: Sequence[Callable[[Case], None]]) -> list[str]:
    return [check.__name__ for check in checks]


class Python(NamedTuple):
    """A Python with one version of the SDK, away from the settings of our own pyproject.toml."""

    executable: str
    version: str
    folder: Path
    env: dict[str, str]

    def command(self, url: str, checks: Sequence[str], *, key: str, at_once: int) -> list[str]:
        module = ("-m", "tests.clients.sdk", str(at_once))
        return [self.executable, *module, url, key, str(sounds.JFK), *checks]

    @property
    def surroundings(self) -> dict[str, Any]:
        return {"cwd": self.folder, "env": {**self.env, "PYTHONPATH": str(ROOT)}}

    def outcomes(
        self, url: str, checks: Sequence[str], *, key: str, at_once: int
    ) -> dict[str, str | None]:
        """What went wrong with each check."""
        argv = self.command(url, checks, key=key, at_once=at_once)
        done = subprocess.run(argv, **self.surroundings, stdout=subprocess.PIPE, check=True)
        return self.read(done.stdout)

    def read(self, said: bytes) -> dict[str, str | None]:
        """The outcomes in what the checks print, and the version that they ran with."""
        ran: str
        outcomes: dict[str, str | None]
        ran, outcomes = json.loads(said)
        assert ran.partition(".")[0] == self.version
        return outcomes


@pytest.fixture(scope="module", params=VERSIONS)
def python(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    environment: dict[str, str],
) -> Python:
    folder = tmp_path_factory.mktemp("sdk")
    if version("openai").partition(".")[0] == request.param:
        return Python(sys.executable, request.param, folder, environment)
    uv = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".uv" / "bin"))
    if uv is None:
        pytest.skip("there is no uv to make environments with")
    executable = str(folder / "env" / "bin" / "python")
    for argv in (
        (uv, "venv", "--quiet", "--no-project", "--python", sys.executable, "env"),
        (uv, "pip", "install", "--quiet", "--python", executable, VERSIONS[request.param]),
    ):
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"uv could not make the environment: {done.stderr.strip()[-200:]}")
    return Python(executable, request.param, folder, environment)


@pytest.fixture(scope="module")
def open_outcomes(python: Python, server: Server) -> dict[str, str | None]:
    return python.outcomes(server.url, names(OPEN), key="any", at_once=8)


@pytest.fixture(scope="module")
def guarded_outcomes(python: Python, guarded: Server) -> dict[str, str | None]:
    return python.outcomes(guarded.url, names(GUARDED), key=KEYS[1], at_once=1)


@pytest.mark.parametrize("check", names(OPEN))
def test_with_the_sdk(open_outcomes: dict[str, str | None], check: str) -> None:
    assert open_outcomes[check] is None, open_outcomes[check]


@pytest.mark.parametrize("check", names(GUARDED))
def test_with_the_sdk_and_a_key(guarded_outcomes: dict[str, str | None], check: str) -> None:
    assert guarded_outcomes[check] is None, guarded_outcomes[check]


async def test_the_sdk_that_is_sent_away_comes_again_when_it_was_told_to(
    python: Python, guarded: Server, recordings: Path
) -> None:
    name = who_is_sent_away_comes_again.__name__
    film = (recordings / "jfk.pcm").read_bytes() * 120
    argv = python.command(guarded.url, [name], key=KEYS[0], at_once=1)
    async with (
        httpx.AsyncClient(base_url=guarded.url, timeout=200, headers=BEARER) as client,
        trio.open_nursery() as nursery,
    ):
        before = await refusals(client)

        async def sent_away() -> bool:
            return await refusals(client) > before

        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        run = partial(trio.run_process, argv, **python.surroundings, **pipes)
        asking: trio.Process = await nursery.start(run)
        assert asking.stdin
        assert asking.stdout
        assert await asking.stdout.receive_some() == b"ready\n"
        holder = await nursery.start(hold_the_place, client, film)
        await asking.stdin.send_all(b"go\n")
        await process.until(sent_away, within_s=60)
        holder.cancel()
        outcomes = python.read(b"".join([part async for part in asking.stdout]))
    assert outcomes == {name: None}, outcomes[name]


async def hold_the_place(
    client: httpx.AsyncClient,
    film: bytes,
    task_status: trio.TaskStatus[trio.CancelScope] = trio.TASK_STATUS_IGNORED,
) -> None:
    """A long film has the server's only place until it is cancelled."""
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            files = {"audio_file": ("film", film)}
            query = "/asr?output=txt&encode=false&language=en"
            nursery.start_soon(partial(client.post, query, files=files))
            await process.until(partial(is_at_it, client), within_s=30)
            task_status.started(scope)


async def is_at_it(client: httpx.AsyncClient) -> bool:
    return await process.in_flight(client) == 1


async def refusals(client: httpx.AsyncClient) -> float:
    """How many requests were told to come again."""
    lines = (await client.get("/metrics")).text.splitlines()
    told = [line for line in lines if "requests_total" in line and 'status="503"' in line]
    return sum(float(line.split()[-1]) for line in told)
