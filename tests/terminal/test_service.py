"""The server as a service: what is run, and what a person is told."""

from __future__ import annotations

import plistlib
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from asr.settings import Settings
from asr.terminal.install import Action, Where, Wish, health, in_words, manage
from asr.terminal.launchd import LABEL
from asr.terminal.program import NOT_STARTED, Ended, Run, State, run_command
from tests.terminal.fake_managers import FakeLaunchd, FakeSystemd
from tests.terminal.fake_servers import server

ROOT = Path(__file__).parents[2]
SYSTEMCTL = ("systemctl", "--user")
UNIT = "asr-service.service"


@dataclass
class Person:
    """Asks in a home of their own, and keeps what they are told."""

    home: Path
    run: Run
    platform: str = "linux"
    uid: int = 501
    environ: dict[str, str] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    prefix: Path = Path("/venv")
    told: list[str] = field(default_factory=list)

    def asks(self, action: Action, **wish: Any) -> int:
        where = Where(
            self.platform, self.home, self.uid, "/venv/bin/python", self.prefix, self.environ
        )
        settings = Settings.from_environ({"CACHE_DIR": str(self.home / "cache"), **self.settings})
        wanted = Wish(action, **wish)
        return manage(wanted, settings, where, drain_s=45, run=self.run, say=self.told.append)

    @property
    def unit(self) -> Path:
        return self.home / ".config" / "systemd" / "user" / UNIT


def test_installing_writes_a_unit_starts_it_and_says_so(tmp_path: Path) -> None:
    systemd = FakeSystemd()
    person = Person(tmp_path, systemd)
    first = (person.asks("install"), person.unit.read_bytes(), systemd.ran[1:], person.told[:])
    systemd.ran.clear()
    person.told.clear()
    again = (person.asks("install"), person.unit.read_bytes(), systemd.ran[1:], person.told)
    assert first == again  # whoever asks twice gets the same
    code, _, ran, told = first
    assert code == 0
    assert ran == [
        ("/venv/bin/python", "-P", "-m", "asr.run", "serve", "--version"),
        (*SYSTEMCTL, "daemon-reload"),
        (*SYSTEMCTL, "enable", UNIT),
        (*SYSTEMCTL, "reset-failed", UNIT),
        (*SYSTEMCTL, "restart", UNIT),
    ]
    assert told[:5] == [
        f"wrote    {person.unit}",
        "ran      systemctl --user daemon-reload",
        f"ran      systemctl --user enable {UNIT}",
        f"ran      systemctl --user restart {UNIT}",
        "log      journalctl --user -u asr-service -f",
    ]
    assert (tmp_path / "cache").is_dir()  # systemd refuses folders that are not there
    assert [file.name for file in person.unit.parent.iterdir()] == [UNIT]


def test_the_folders_that_settings_name_may_be_written_to(tmp_path: Path) -> None:
    person = Person(tmp_path, FakeSystemd())
    chosen = [tmp_path / name for name in ("hub", "jobs", "shared")]
    hub, jobs, shared = map(str, chosen)
    person.settings |= {"HF_HOME": hub, "ASR_JOBS_DIR": jobs, "ASR_STORE_URL": f"file://{shared}"}
    assert person.asks("install") == 0
    line = next(line for line in person.unit.read_text().splitlines() if "ReadWritePaths" in line)
    assert all(f'"{folder}"' in line and folder.is_dir() for folder in chosen)


def test_settings_that_only_the_shell_has_are_named(tmp_path: Path) -> None:
    person = Person(tmp_path, FakeSystemd(), environ={"PORT": "1", "HOME": "/", "API_KEYS": "x"})
    person.asks("install")
    told = [line.split()[1] for line in person.told if "in this shell alone" in line]
    assert told == ["API_KEYS", "PORT"]
    assert f"settings {ROOT / '.env'}" in "\n".join(person.told)


def test_showing_the_file_does_nothing_else(tmp_path: Path) -> None:
    systemd = FakeSystemd()
    person = Person(tmp_path, systemd)
    assert person.asks("install", show=True) == 0
    assert (systemd.ran, list(tmp_path.glob(".config"))) == ([], [])
    assert "[Service]" in person.told[0].splitlines()


def test_uninstalling_leaves_nothing_behind_and_may_be_done_twice(tmp_path: Path) -> None:
    systemd = FakeSystemd()
    person = Person(tmp_path, systemd)
    person.asks("install")
    systemd.ran.clear()
    assert person.asks("uninstall") == 0
    assert not person.unit.exists()
    assert systemd.ran[1:] == [
        (*SYSTEMCTL, "disable", "--now", UNIT),
        (*SYSTEMCTL, "daemon-reload"),
        (*SYSTEMCTL, "reset-failed", UNIT),
    ]
    systemd.ran.clear()
    assert person.asks("uninstall") == 0
    assert len(systemd.ran) == 1  # whether it is there
    assert person.told[-1].startswith("There is no ")


def test_a_mac_gets_an_agent(tmp_path: Path) -> None:
    launchd = FakeLaunchd()
    person = Person(tmp_path, answering(launchd), platform="darwin")
    assert person.asks("install") == 0
    file = tmp_path / "Library" / "LaunchAgents" / f"{LABEL}.plist"
    assert plistlib.loads(file.read_bytes())["Label"] == LABEL
    assert launchd.ran == ["enable", "bootstrap"]
    assert f"ran      launchctl bootstrap gui/501 {file}" in person.told


def answering(launchd: FakeLaunchd) -> Run:
    """launchctl is this one; every other command succeeds."""
    return lambda argv: launchd(argv) if argv[0] == "launchctl" else Ended(0, "")


# What is refused


@pytest.mark.parametrize(
    ("change", "fault", "code"),
    [
        ({"platform": "freebsd14"}, "launchd or systemd", 69),
        ({"platform": "darwin", "uid": 0}, "without sudo", 69),
        ({"run": FakeSystemd(fails=("--property=Version",))}, "Access denied", 69),
        ({"run": FakeSystemd(fails=("enable",))}, f"enable {UNIT} failed: Access denied", 1),
        ({"run": FakeSystemd(fails=("--version",))}, "cannot run the server by itself", 1),
        (
            {"settings": {"CACHE_DIR": "cache"}},
            "'cache' in the settings is not an absolute path",
            2,
        ),
        ({"settings": {"HF_HOME": "/a\nb"}}, "control characters", 2),
        ({"prefix": Path("/home/ada/.cache/uv/archive-v0/x")}, "uv's cache", 2),
    ],
)
def test_what_cannot_be_is_refused_in_words(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: dict[str, Any],
    fault: str,
    code: int,
) -> None:
    named: dict[str, Any] = {"home": tmp_path, "run": FakeSystemd()}
    asked = Person(**named | change)
    assert asked.asks("install") == code
    assert fault in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".config").write_text("a file")
    assert Person(tmp_path, FakeSystemd()).asks("install") == 1
    assert ".config/systemd/user cannot be made" in capsys.readouterr().err


def test_a_command_that_is_not_there_is_told_as_a_shell_tells_it() -> None:
    assert run_command([sys.executable, "-c", "print('ü'); exit(3)"]) == Ended(3, "ü")
    missing = "/none/such cannot be started: No such file or directory"
    assert run_command(["/none/such"]) == Ended(NOT_STARTED, missing)


# How it is


def test_a_state_has_words() -> None:
    assert in_words(State(running=True, pid=812)) == "running, process 812"
    assert in_words(State(running=False)) == "not running"
    told = in_words(State(running=False, ended_with=69))
    assert told == "not running; it ended with 69: the model or the port cannot be had"


def test_who_asks_how_it_is_hears_whether_it_runs_and_answers(tmp_path: Path) -> None:
    with server(b'{"status": "healthy"}') as port:
        systemd = FakeSystemd(said="MainPID=7\nActiveState=active")
        person = Person(tmp_path, systemd, settings={"PORT": str(port), "HOST": "0.0.0.0"})
        assert person.asks("status") == 1
        assert person.told == ["It is not installed."]
        person.asks("install")
        person.told.clear()
        assert person.asks("status") == 0
    assert person.told == [
        f"file     {person.unit}",
        "state    running, process 7",
        f"answers  http://127.0.0.1:{port}, healthy",
        "log      journalctl --user -u asr-service -f",
    ]


def test_a_service_that_ended_says_why_by_its_exit_code(tmp_path: Path) -> None:
    person = Person(
        tmp_path, FakeSystemd(said="ActiveState=failed\nExecMainCode=1\nExecMainStatus=2")
    )
    person.asks("install")
    person.told.clear()
    assert person.asks("status") == 1
    assert person.told[1] == "state    not running; it ended with 2: its settings cannot be used"


def test_nobody_there_is_no_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets this port
        assert health(f"127.0.0.1:{unused.getsockname()[1]}").startswith("not yet at http://")


def test_the_command_line_names_the_file_of_settings(tmp_path: Path) -> None:
    file = tmp_path / "my settings.env"
    file.write_text("ASR_DRAIN_S=100\n")
    # As if installed: of an environment in uv's cache, which this may be, no service is made.
    program = "import sys; sys.prefix = '/opt/asr'; from asr.run import main; sys.exit(main())"
    argv = [sys.executable, "-c", program, "--env-file", file.name]
    done = subprocess.run(
        [*argv, "service", "install", "--print"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert str(file) in done.stdout
    assert "120" in done.stdout  # the drain, what ends it from outside, and the interpreter
    argv[-1] = "none.env"
    done = subprocess.run([*argv, "models"], capture_output=True, text=True, check=False)
    assert (done.returncode, "there is no file 'none.env'" in done.stderr) == (2, True)
