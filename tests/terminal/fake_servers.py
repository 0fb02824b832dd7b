"""Servers of one answer, and those that do not answer."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def server(body: bytes, *, status: int = 200) -> Iterator[int]:
    """The port of a server that answers everything with this."""

    class Answer(BaseHTTPRequestHandler):
        answer: ClassVar[bytes] = body

        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(self.answer)

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: stderr belongs to the test run."""

    with HTTPServer(("127.0.0.1", 0), Answer) as httpd:
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield httpd.server_port
        finally:
            httpd.shutdown()
            thread.join()


def silent() -> socket.socket:
    """Somebody who takes connections, and says nothing."""
    return socket.create_server(("127.0.0.1", 0))


def refusing() -> socket.socket:
    """A port that is taken, on which nobody listens."""
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    return taken
