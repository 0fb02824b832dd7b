"""launchd: the property list of an agent, and the commands that load it."""

from __future__ import annotations

import plistlib
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from asr.terminal.launchd import LABEL, WRAPPED, Launchd, read_state
from asr.terminal.program import Refused, Shell, State
from tests.terminal.fake_managers import AWKWARD, JOB, FakeLaunchd, program

if TYPE_CHECKING:
    from pathlib import Path


def quiet(_line: str) -> None:
    """Nobody asked."""


def test_the_property_list_is_what_launchd_needs(tmp_path: Path) -> None:
    agent = Launchd(tmp_path / AWKWARD, 501)
    folder = tmp_path / AWKWARD / "cache"
    written = agent.describe(
        program("--env-file", AWKWARD, "serve", folder=str(folder), python=AWKWARD)
    )
    log = str(tmp_path / AWKWARD / "Library" / "Logs" / "asr-service.log")
    read = plistlib.loads(written)
    assert read.pop("EnvironmentVariables").pop("MLX_PTX_CACHE_DIR") == str(folder / "ptx")
    assert read == {
        "Label": LABEL,
        "ProgramArguments": [AWKWARD, "-P", "-c", WRAPPED, "--env-file", AWKWARD, "serve"],
        "WorkingDirectory": str(tmp_path / AWKWARD),
        "RunAtLoad": True,
        "KeepAlive": {"SuccessfulExit": False},
        "ThrottleInterval": 30,
        "ExitTimeOut": 50,
        "ProcessType": "Interactive",
        "StandardOutPath": log,
        "StandardErrorPath": log,
        "Umask": 0o077,
    }


def test_others_can_read_the_property_list_too(tmp_path: Path) -> None:
    file = tmp_path / "a.plist"
    file.write_bytes(Launchd(tmp_path, 501).describe(program(AWKWARD)))
    if lint := shutil.which("plutil"):
        argv = [lint, "-lint", str(file)]
    elif convert := shutil.which("plistutil"):
        argv = [convert, "-i", str(file), "-f", "json", "-o", str(tmp_path / "a.json")]
    else:
        pytest.skip("neither plutil nor plistutil (libplist-utils) is installed")
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("code", "for_launchd"), [(0, 0), (2, 0), (69, 0), (1, 1), (70, 70), (71, 71)]
)
def test_launchd_starts_again_only_what_that_may_help(
    tmp_path: Path, code: int, for_launchd: int
) -> None:
    run = tmp_path / "asr" / "run.py"
    run.parent.mkdir()
    (run.parent / "__init__.py").touch()
    run.write_text("import sys\ndef main():\n    return int(sys.argv[1])\n")
    argv = [sys.executable, "-P", "-c", WRAPPED, str(code)]
    done = subprocess.run(argv, env={"PYTHONPATH": str(tmp_path)}, check=False)
    assert done.returncode == for_launchd


def test_a_label_is_waited_for_until_it_is_free(tmp_path: Path) -> None:
    paused = list[float]()
    launchd = FakeLaunchd(loaded=True, ends_after=3, settles_after=2)
    agent = Launchd(tmp_path, 501, pause=paused.append)
    agent.start(Shell(launchd, quiet), program())
    assert launchd.ran == ["bootout", "enable", "bootstrap", "bootstrap", "bootstrap"]
    assert paused == [0.5] * 5


def test_a_server_that_does_not_end_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    paused = list[float]()
    launchd = FakeLaunchd(loaded=True, ends_after=1_000_000)
    agent = Launchd(tmp_path, 501, pause=paused.append)
    with pytest.raises(Refused, match="did not stop"):
        agent.start(Shell(launchd, quiet), program())
    assert sum(paused) == 65  # its own 50 s, and those that launchd takes
    assert launchd.ran == ["bootout"]


def test_what_launchd_said_last_is_told(tmp_path: Path) -> None:
    paused = list[float]()
    agent = Launchd(tmp_path, 501, pause=paused.append)
    with pytest.raises(Refused, match="5: Input/output error"):
        agent.start(Shell(FakeLaunchd(settles_after=1_000_000), quiet), program())
    assert sum(paused) == 15


LAUNCHD = """{job} = {{
\tactive count = 1
\tpath = /Users/me/Library/LaunchAgents/local.asr-service.plist
\tstate = {state}

\targuments = {{
\t\tpid = 1
\t}}
\truns = 3
{more}}}
"""


@pytest.mark.parametrize(
    ("state", "more", "read"),
    [
        ("running", "\tpid = 812\n\tlast exit code = 70\n", State(running=True, pid=812)),
        (
            "not running",
            "\tlast exit code = 70: EX_SOFTWARE\n",
            State(running=False, ended_with=70),
        ),
        ("not running", "\tlast exit code = (never exited)\n", State(running=False)),
        ("SIGTERMed", "\tpid = 812\n", State(running=False)),
    ],
)
def test_what_launchd_prints_of_a_job_is_understood(state: str, more: str, read: State) -> None:
    assert read_state(LAUNCHD.format(job=JOB, state=state, more=more)) == read
