"""Around the whole app: an id for every request, one log line, one count, also when cancelled.

What needs the app's own words, keys and origins, is not here but a hook of the app.
"""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from asr.http.health import ALWAYS_OPEN
from asr.http.proxies import forwarded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from asr.actors.metrics import Metrics
    from asr.http.door import Door

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Message, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

CLIENT_LEFT = 499  # nginx's number for a request whose client did not wait for the answer
INTERNAL_ERROR = 500
GOOD_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
SITE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")  # of a request line that names it


class Edge:
    """An ASGI app around another: what must hold for every request, however it ends."""

    def __init__(self, app: App, *, door: Door, metrics: Metrics, proxy_hops: int = 0) -> None:
        self._app = app
        self._door = door
        self._metrics = metrics
        self._proxy_hops = proxy_hops

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            scope, receive, send = as_plain_get(scope, receive, send)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = {
            **scope,
            **forwarded(scope["headers"], hops=self._proxy_hops),
            "path": plain_path(scope["path"]),
            "state": {**scope.get("state", {}), "request_id": request_id(scope["headers"])},
        }
        with self._door.enter():
            await self._count(seen, receive, send)

    async def _count(self, scope: Message, receive: Receive, send: Send) -> None:
        state = scope["state"]
        started = time.perf_counter()
        status = CLIENT_LEFT

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                header = (b"x-request-id", state["request_id"].encode())
                message = {**message, "headers": [*message["headers"], header]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception:  # not even the app's own answer to errors: hypercorn gives a bare 500
            status = INTERNAL_ERROR if status == CLIENT_LEFT else status
            log.exception("request %s failed outside its handler", state["request_id"])
        finally:
            took_s = time.perf_counter() - started
            self._metrics.request(state.get("endpoint", "<none>"), status, took_s)
            words = (state["request_id"], scope["method"], quote(scope["path"]), status, took_s)
            # Probes come every few seconds for as long as the server lives: not worth a line.
            level = logging.DEBUG if scope["path"] in ALWAYS_OPEN else logging.INFO
            log.log(level, "%s %s %s %d %.3f s", *words)


def request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The client's own id if there is one and it is decent, else a new one."""
    theirs = {value for name, value in headers if name.lower() == b"x-request-id"}
    chosen = theirs.pop() if len(theirs) == 1 else b""
    return chosen.decode() if GOOD_ID.fullmatch(chosen) else uuid4().hex


def plain_path(path: str) -> str:
    """The path alone, whatever form of address the request line has; always with a slash."""
    path = SITE.sub("", path, count=1) if SITE.match(path) else path
    return path if path.startswith("/") else f"/{path}"


def as_plain_get(scope: Message, receive: Receive, send: Send) -> tuple[Message, Receive, Send]:
    """A WebSocket handshake as the GET that it also is: nothing here speaks WebSocket.

    So the client hears 401, 404 or whatever a GET would, and is counted like everybody.
    """
    request = {"type": "http.request", "body": b"", "more_body": False}

    async def receive_http() -> Message:
        message = await receive()
        return request if message["type"] == "websocket.connect" else {"type": "http.disconnect"}

    async def send_http(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    scheme = scope["scheme"].replace("ws", "http")
    return {**scope, "type": "http", "method": "GET", "scheme": scheme}, receive_http, send_http
