"""What takes seconds is made once: converted models, loaded weights, sounds."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from asr.pipeline.engine import ModelFolder
from asr.pipeline.models import ModelSettings, ModelStore
from asr.pipeline.shelf import Shelf, Shelved
from asr.pipeline.types import Window
from asr.settings import names
from tests.real import sounds
from tests.real.ears import Ears
from tests.real.rig import Rig, serving_fake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.process import Server

# What could make our processes other than those that people start.
UNSAID = frozenset({"PYTHONDONTWRITEBYTECODE", *names()})


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run, the same for all of its workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def cache(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CACHE_DIR of everything here; its models are converted once a run."""
    cache, models = tmp_path_factory.mktemp("cache"), shared / "models"
    models.mkdir(exist_ok=True)
    (cache / "models").symlink_to(models)
    return cache


@pytest.fixture(scope="session")
def store(cache: Path) -> ModelStore:
    """Only the models of the installed packages can be had."""
    settings = ModelSettings(cache_dir=cache, hf_home=cache / "hf", hf_hub_offline=True)
    return ModelStore(settings, accelerated=False)


@pytest.fixture(scope="session")
def base(store: ModelStore) -> ModelFolder:
    return ModelFolder("base", store.fetch("base"))


@pytest.fixture(scope="session")
def tiny(store: ModelStore) -> ModelFolder:
    return ModelFolder("tiny.en", store.fetch("tiny.en"))


@pytest.fixture(scope="session")
def environment(cache: Path, base: ModelFolder, tiny: ModelFolder, shared: Path) -> dict[str, str]:
    """What processes of ours are told: the models that are in the cache by now, and no others.

    No results are kept: a sound that is sent twice is to be heard twice.
    """
    assert {base.path.parent, tiny.path.parent} == {cache / "models"}
    told = {name: value for name, value in os.environ.items() if name not in UNSAID}
    if sys.dont_write_bytecode:  # what they compile is kept all the same, as where people run them
        told["PYTHONPYCACHEPREFIX"] = str(shared / "compiled")
    return told | {
        "CACHE_DIR": str(cache),
        "ASR_CACHE_MAX_MB": "0",
        "HF_HOME": str(cache / "hf"),
        "HF_HUB_OFFLINE": "true",
        "HOST": "127.0.0.1",
        "PORT": "0",
    }


@pytest.fixture(scope="session")
def shelf() -> Shelf:
    """float32 everywhere: half precision would hide what differs behind its rounding."""
    return Shelf("float32", 4_000_000_000)


@pytest.fixture(scope="session")
def shelved_base(shelf: Shelf, base: ModelFolder) -> Shelved:
    return shelf.take(base)


@pytest.fixture(scope="session")
def shelved_tiny(shelf: Shelf, tiny: ModelFolder) -> Shelved:
    return shelf.take(tiny)


@pytest.fixture(scope="session")
def windows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Window]:
    """Every sound by its name: a window each."""
    folder = tmp_path_factory.mktemp("sounds")
    audios = {file.stem: sounds.recorded(file, folder) for file in (sounds.JFK, sounds.GERMAN)}
    for name, samples in (
        ("noise", sounds.noise(10.0)),
        ("silence", sounds.silence(10.0)),
        ("chords", sounds.chords(10.0)),
    ):
        audios[name] = sounds.made(name, samples, folder)
    austen = sounds.recorded(sounds.AUSTEN, folder)
    return {name: sounds.whole(audio) for name, audio in audios.items()} | {
        "austen": Window(austen, 0.0, 12.0),
        "dashwood": Window(austen, 12.0, 30.0),
    }


@pytest.fixture(scope="session")
def ears(windows: dict[str, Window]) -> Ears:
    return Ears(windows)


@pytest.fixture(scope="session")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where our processes write what they say on stderr."""
    return tmp_path_factory.mktemp("log") / "stderr.txt"


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    """As ``rig``, for a server that all tests of a module ask."""
    return Rig(tmp_path_factory.mktemp("orders"))


@pytest.fixture(scope="module")
def jobs_server(
    environment: dict[str, str], log: Path, orders: Rig, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One whose engine says "word", with a folder of its own for its jobs."""
    folder = str(tmp_path_factory.mktemp("jobs"))
    with serving_fake(environment, log, orders, ASR_JOBS_DIR=folder) as server:
        yield server


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    """Orders for a server that is started with ``program=rigged(rig)``."""
    folder = tmp_path / "rig"
    folder.mkdir()
    return Rig(folder)
