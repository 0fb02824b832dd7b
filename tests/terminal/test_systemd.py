"""systemd: the unit file, which systemd itself reads, and what it says of a unit."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from asr.terminal.program import Refused, State
from asr.terminal.systemd import Systemd, quoted, read_state
from tests.terminal.fake_managers import AWKWARD, program

# What no program of a unit may be called.
UNSAFE = str.maketrans("", "", "\"'\\")


def test_systemd_has_nothing_to_object_to(tmp_path: Path) -> None:
    python, folder = tmp_path / AWKWARD.translate(UNSAFE) / "python", tmp_path / AWKWARD
    for each in (python.parent, folder):
        each.mkdir()
    python.symlink_to(sys.executable)
    asked = program("--env-file", AWKWARD, "serve", folder=str(folder), python=str(python))
    text = Systemd(tmp_path).describe(asked).decode()
    assert verified(tmp_path, text) == ""
    assert "Restrt" in verified(tmp_path, text.replace("Restart=", "Restrt="))


def test_systemd_reads_awkward_paths_as_they_are_meant(tmp_path: Path) -> None:
    missing = str(tmp_path / AWKWARD.translate(UNSAFE))
    said = verified(tmp_path, Systemd(tmp_path).describe(program(python=missing)).decode())
    assert f"Command {missing} is not executable" in said


def test_what_systemd_would_not_run_is_refused() -> None:
    with pytest.raises(Refused, match="quotation marks or backslashes"):
        Systemd(Path("/x")).describe(program(python=AWKWARD))


def verified(folder: Path, text: str) -> str:
    """What systemd says of our unit, and not of others that it needs; it starts nothing."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    file = folder / "asr-service.service"
    file.write_text(text)
    env = {"XDG_RUNTIME_DIR": str(folder), "LC_ALL": "C.UTF-8"}
    argv = [analyze, "verify", "--user", "--man=no", str(file)]
    done = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)
    return "\n".join(line for line in done.stderr.splitlines() if file.name in line)


def test_a_unit_file_gives_the_drain_its_time_and_no_second_try_where_none_helps() -> None:
    lines = Systemd(Path("/x")).describe(program("serve")).decode().splitlines()
    assert {
        'ExecStart=:"/python" "-P" "-m" "asr.run" "serve"',
        "Restart=on-failure",
        "RestartPreventExitStatus=2 69",
        "KillMode=mixed",
        "TimeoutStopSec=50",
        'ReadWritePaths="/cache"',
    } <= set(lines)


def test_words_are_quoted_for_units() -> None:
    assert quoted("a b", "50%", 'say "c:\\d"', "$HOME") == (r'"a b" "50%%" "say \"c:\\d\"" "$HOME"')


@pytest.mark.parametrize(
    ("active", "pid", "code", "status", "read"),
    [
        ("active", "812", "0", "0", State(running=True, pid=812)),
        ("active", "812", "1", "70", State(running=True, pid=812)),
        ("failed", "0", "1", "2", State(running=False, ended_with=2)),
        ("inactive", "0", "0", "0", State(running=False)),
        ("failed", "0", "2", "9", State(running=False)),  # killed by signal 9
    ],
)
def test_the_properties_of_a_unit_are_understood(
    active: str, pid: str, code: str, status: str, read: State
) -> None:
    said = {"ActiveState": active, "MainPID": pid, "ExecMainCode": code, "ExecMainStatus": status}
    assert read_state(said) == read
    assert read_state({}) == State(running=False)
