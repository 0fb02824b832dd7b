"""What makes the checkout installable anywhere, as far as it is cheap to check."""

import re
import runpy
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

import asr

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
HOSTLESS: Callable[[str], str] = runpy.run_path(str(ROOT / ".ci" / "hostless.py"))["hostless"]


def test_the_lock_as_committed_names_no_host() -> None:
    # The file in the folder may name hosts: uv writes them back whenever it syncs.
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: nothing is committed here")
    show = [git, "-C", str(ROOT), "show", ":uv.lock"]
    committed = subprocess.run(show, capture_output=True, text=True, check=True).stdout
    assert "://" not in committed
    assert HOSTLESS(committed) == committed


def test_a_stripped_lock_names_no_host_and_keeps_its_hashes() -> None:
    lock = (ROOT / "uv.lock").read_text()
    stripped = HOSTLESS(lock)
    hashes = re.compile(r"sha256:[0-9a-f]{64}")
    assert "://" not in stripped
    assert hashes.findall(stripped) == hashes.findall(lock) != []


def test_the_version_is_the_same_everywhere() -> None:
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    }
    newest = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    version = PROJECT["project"]["version"]
    assert (asr.__version__, locked["asr-service"]) == (version, version)
    assert newest[0] in ("Unreleased", version)


def test_the_rooms_are_links_below_the_one_import_name() -> None:
    links = {
        file.name: str(file.readlink()) for file in (ROOT / "asr").iterdir() if file.is_symlink()
    }
    assert links == {
        "actors": "../actors",
        "http": "../http",
        "pipeline": "../pipeline",
        "run.py": "../run.py",
    }


def test_the_console_script_is_run_py() -> None:
    assert PROJECT["project"]["scripts"] == {"asr-service": "asr.run:main"}


def test_the_wheel_carries_its_licence_and_says_that_it_is_typed() -> None:
    assert PROJECT["project"]["license-files"] == ["LICENSE"]
    assert "Copyright (c) 2026 asr-service contributors" in (ROOT / "LICENSE").read_text()
    assert (ROOT / "asr" / "py.typed").exists()


def test_the_readme_has_one_command_that_serves_and_one_that_tests() -> None:
    commands = re.findall(r"^python3 -m pip install .*", (ROOT / "README.md").read_text(), re.M)
    assert [command.rsplit("uv run ")[-1] for command in commands] == ["run.py", "pytest"]
