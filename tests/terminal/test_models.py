from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from rich.console import Console

from asr.pipeline.models import ModelInfo, ModelStore
from asr.terminal.models import loaded, table
from tests.terminal.fake_servers import refusing, server


@dataclass(frozen=True, slots=True)
class FakeStore:
    default: str = "base"

    def catalogue(self) -> tuple[ModelInfo, ...]:
        return (
            ModelInfo("tiny", "hub", "org/tiny", None, on_disk=False, revision="v1.2"),
            ModelInfo("base", "embedded", "a, b", 145_000_000, on_disk=True),
            ModelInfo("own", "folder", "/own", 1_000, on_disk=True),
        )


def test_each_model_has_a_row_and_the_default_a_star() -> None:
    console = Console(width=100, record=True)
    with console.capture() as shown:
        console.print(table(cast("ModelStore", FakeStore()), frozenset({"own"})))
    rows = [" ".join(line.split()) for line in shown.get().splitlines()]
    assert rows == [
        "model from where revision size state",
        "tiny hub org/tiny v1.2 fetched at first use",
        "base * embedded a, b 145.0 MB on disk",
        "own folder /own 1.0 kB loaded",
    ]


def test_a_running_server_is_asked_what_it_has_loaded() -> None:
    with server(b'{"status": "healthy", "loaded_models": ["base", "tiny"]}') as port:
        assert loaded("127.0.0.1", port) == {"base", "tiny"}


def test_another_program_on_that_port_has_loaded_nothing() -> None:
    with server(b"{}") as port:
        assert loaded("127.0.0.1", port) == frozenset()


def test_no_server_has_loaded_nothing() -> None:
    with refusing() as unused:
        assert loaded("127.0.0.1", unused.getsockname()[1]) == frozenset()
