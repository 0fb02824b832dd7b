"""Around the whole app: an id for every request, one trail of it, told also when it is cancelled.

What needs the app's own words, keys and origins, is not here but a hook of the app.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from uuid import uuid4

import trio

from asr.actors.trail import Trail, begin, untold
from asr.http.exchange import Exchange
from asr.http.proxies import forwarded

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from asr.actors.metrics import Metrics
    from asr.http.door import Door
    from asr.http.exchange import Message, Receive, Send

    App = Callable[[Message, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

GOOD_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
# Of W3C's trace context, version 00: the trace, its span, and whether they are recorded.
TRACE = re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
SITE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")  # of a request line that names it


class Edge:
    """An ASGI app around another: what must hold for every request, however it ends.

    ``told`` hears of each request that is over.
    """

    def __init__(
        self,
        app: App,
        *,
        door: Door,
        metrics: Metrics,
        proxy_hops: int = 0,
        told: Callable[[Trail], None] = untold,
    ) -> None:
        self._app = app
        self._door = door
        self._metrics = metrics
        self._proxy_hops = proxy_hops
        self._told = told

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        trail = Trail(request_id(scope["headers"]), parent=traceparent(scope["headers"]))
        seen = {
            **scope,
            **forwarded(scope["headers"], hops=self._proxy_hops),
            "path": plain_path(scope["path"]),
            "state": {**scope.get("state", {}), "request_id": trail.id},
        }
        with self._door.enter(), begin(trail):
            exchange = Exchange(seen, receive, send, trail.id)
            try:
                await self._app(seen, exchange.receive, exchange.send)
            except Exception:  # not even the app's own answer to errors: hypercorn gives a bare 500
                exchange.failed()
                log.exception("request %s failed outside its handler", trail.id)
            finally:
                self._tell(exchange, trail)

    def _tell(self, exchange: Exchange, trail: Trail) -> None:
        """The request is over: its numbers, its line, its spans."""
        exchange.describe(trail)
        trail.ended_s = trio.current_time()
        took_s = trail.ended_s - trail.began_s
        self._metrics.request(exchange.endpoint, exchange.status, took_s)
        self._metrics.walked(trail)
        if not exchange.complete:
            self._metrics.abandoned(trail.left_in or "other")
        log_line(trail, took_s, level=exchange.level)
        if exchange.level > logging.DEBUG:
            self._told(trail)


def log_line(trail: Trail, took_s: float, *, level: int) -> None:
    """The one line of a request: what was asked, how it ended, where its time went."""
    if not log.isEnabledFor(level):
        return
    stages = {name: round(each.busy_s, 3) for name, each in trail.stages.items()}
    facts = {**trail.facts, "seconds": round(took_s, 3), "stages": stages}
    if trail.left_in:
        facts["left_in"] = trail.left_in
    words = (facts["method"], facts["path"], facts["status"], took_s)
    log.log(level, "%s %s %s %.3f s", *words, extra=facts)


def request_id(headers: list[tuple[bytes, bytes]]) -> str:
    """The client's own id if there is one and it is decent, else a new one."""
    theirs = {value for name, value in headers if name.lower() == b"x-request-id"}
    chosen = theirs.pop() if len(theirs) == 1 else b""
    return chosen.decode() if GOOD_ID.fullmatch(chosen) else uuid4().hex


def traceparent(headers: list[tuple[bytes, bytes]]) -> str:
    """The trace that a request belongs to, as its header says it; empty if it says nothing good."""
    theirs = [value for name, value in headers if name.lower() == b"traceparent"]
    return theirs[0].decode() if len(theirs) == 1 and TRACE.fullmatch(theirs[0]) else ""


def plain_path(path: str) -> str:
    """The path alone, whatever form of address the request line has; always with a slash."""
    path = SITE.sub("", path, count=1) if SITE.match(path) else path
    return path if path.startswith("/") else f"/{path}"
