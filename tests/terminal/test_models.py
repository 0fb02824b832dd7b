from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar, cast

import pytest
from rich.console import Console

from asr.pipeline.models import ModelInfo, ModelStore
from asr.terminal.models import loaded, table

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class FakeStore:
    default: str = "base"

    def catalogue(self) -> tuple[ModelInfo, ...]:
        return (
            ModelInfo("tiny", "hub", "org/tiny", None, on_disk=False, revision="v1.2"),
            ModelInfo("base", "embedded", "a, b", 145_000_000, on_disk=True),
            ModelInfo("own", "folder", "/own", 1_000, on_disk=True),
        )


@contextmanager
def server(body: bytes) -> Iterator[int]:
    """The port of a server that answers everything with this body."""

    class Answer(BaseHTTPRequestHandler):
        answer: ClassVar[bytes] = body

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(self.answer)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: stderr belongs to the test run."""

    with HTTPServer(("127.0.0.1", 0), Answer) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        try:
            yield httpd.server_port
        finally:
            httpd.shutdown()
            thread.join()


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


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_a_running_server_is_asked_what_it_has_loaded(host: str) -> None:
    with server(b'{"status": "healthy", "loaded_models": ["base", "tiny"]}') as port:
        assert loaded(host, port) == {"base", "tiny"}


@pytest.mark.parametrize("body", [b"junk", b"[]", b"{}", b'{"loaded_models": 1}'])
def test_another_program_on_that_port_has_loaded_nothing(body: bytes) -> None:
    with server(body) as port:
        assert loaded("127.0.0.1", port) == frozenset()


def test_no_server_has_loaded_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound and not listening: nobody else gets this port
        assert loaded("127.0.0.1", unused.getsockname()[1]) == frozenset()
