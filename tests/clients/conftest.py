"""Two real servers for those who replay clients, and the bytes that clients send.

Every client is held to what its own source does: which request it builds, and what it reads from
the answer. Where it is a library, the library itself does it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.clients.recipes import check, recipes
from tests.real import process, sounds
from tests.real.conftest import base as base
from tests.real.conftest import cache as cache
from tests.real.conftest import environment as environment
from tests.real.conftest import log as log
from tests.real.conftest import shared as shared
from tests.real.conftest import store as store
from tests.real.conftest import tiny as tiny

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

KEYS = ("first-key", "second-key")


@pytest.fixture(scope="session")
def server(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    """Open to everybody. OpenAI's names mean tiny.en; who names no model gets base.

    As people run it, it hears a recording once for all who ask the same of it.
    """
    said = {"PRELOAD_MODEL": "base", "OPENAI_WHISPER1_MODEL": "tiny.en", "ASR_CACHE_MAX_MB": "500"}
    with log.open("ab") as stderr, process.serving(environment, stderr, **said) as server:
        yield server


@pytest.fixture(scope="session")
def guarded(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    """With keys, and a single place: whoever comes second is sent away."""
    settings = {"PRELOAD_MODEL": "tiny.en", "API_KEYS": ",".join(KEYS)}
    settings |= {"GPU_CONCURRENCY": "1", "MAX_QUEUE_SIZE": "0"}
    with log.open("ab") as stderr, process.serving(environment, stderr, **settings) as server:
        yield server


@pytest.fixture
async def client(
    server: process.Server, request: pytest.FixtureRequest
) -> AsyncIterator[httpx.AsyncClient]:
    """Sends what docs/CLIENTS.md says that the module's program sends, and nothing else."""
    program = request.path.stem.removeprefix("test_")
    hooks: dict[str, list[Any]] = {"request": [partial(check, recipes()[program])]}
    async with httpx.AsyncClient(base_url=server.url, timeout=200, event_hooks=hooks) as client:
        yield client


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings as clients have them: as samples without a container, as mp3, as wav."""
    folder = tmp_path_factory.mktemp("recordings")
    for source in (sounds.JFK, sounds.GERMAN):
        samples = ("-f", "s16le", "-ar", "16000", "-ac", "1")
        sounds.as_file(source, folder / f"{source.stem}.pcm", *samples)
        sounds.as_file(source, folder / f"{source.stem}.mp3")
        sounds.as_file(source, folder / f"{source.stem}.wav", "-ar", "16000", "-ac", "1")
    return folder
