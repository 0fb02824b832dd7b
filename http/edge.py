"""Around the whole app: an id for every request, one log line, one count, also when cancelled."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import uuid4

from asr.http.health import ALWAYS_OPEN

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
GOOD_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")


class Edge:
    """An ASGI app around another: what must hold for every request, however it ends."""

    def __init__(self, app: App, *, door: Door, metrics: Metrics) -> None:
        self._app = app
        self._door = door
        self._metrics = metrics

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = {**scope.get("state", {}), "request_id": request_id(scope["headers"])}
        with self._door.enter():
            await self._count({**scope, "state": state}, receive, send)

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
        finally:
            took_s = time.perf_counter() - started
            self._metrics.request(state.get("endpoint", "<none>"), status, took_s)
            words = (state["request_id"], scope["method"], quote(scope["path"]), status, took_s)
            # Probes come every few seconds for as long as the server lives: not worth a line.
            level = logging.DEBUG if scope["path"] in ALWAYS_OPEN else logging.INFO
            log.log(level, "%s %s %s %d %.3f s", *words)


def request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The client's own id if it is a decent one, else a new one."""
    theirs = next((value for name, value in headers if name.lower() == b"x-request-id"), b"")
    return theirs.decode() if GOOD_ID.fullmatch(theirs) else uuid4().hex
