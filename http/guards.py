"""What hypercorn 0.18 lacks on trio: one bad connection must never hurt another, or the server.

Stock, an exception of one connection ends the whole server, a client that stops reading hangs the
shutdown, and idle or paused connections whose client has left are kept for ever. The version is
pinned, and tests/http/test_guards.py holds these overrides against what is installed.
"""

from __future__ import annotations

import json
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import h11
import hypercorn.protocol
import hypercorn.trio.run
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.typing import ConnectionState

from asr.http.connections import RETRY_S, SENTENCE, Connections
from asr.http.patience import Patience

if TYPE_CHECKING:
    from hypercorn.events import Event

log = logging.getLogger(__name__)

WRITE_BYTES = 65_536  # what must be taken by the client within one write timeout
READ_BYTES = 65_536
AHEAD_BYTES = 65_536  # read of a connection while what came before is still being handled

# From when a client is seen to have gone until its request is ended, if what it had sent has not
# been handled by then.
GONE_S = 0.02

# What is said to whom is not even heard: no path, so both dialects in one.
FULL_BODY = json.dumps({"detail": SENTENCE, "error": {"message": SENTENCE, "code": "busy"}})
FULL = (
    "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
    f"Retry-After: {RETRY_S:.0f}\r\nConnection: close\r\n"
    f"Content-Length: {len(FULL_BODY)}\r\n\r\n{FULL_BODY}"
).encode()


class GuardedConfig(Config):
    """Hypercorn's configuration as we run it, how long one write may wait, and who is connected.

    The read timeout stays off: it would also cut off who rightly waits for an answer.
    """

    write_timeout_s: float = 30.0
    alpn_protocols = ["http/1.1"]  # noqa: RUF012 - Config declares it so
    include_server_header = False
    errorlog = logging.getLogger("hypercorn.error")

    def __init__(self) -> None:
        super().__init__()
        self.patience = Patience()
        self.connections = Connections()


class GuardedConnection(TCPServer):
    """One connection, which takes nothing with it when it ends and leaves nothing behind."""

    config: GuardedConfig

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Hypercorn's own nursery must not be cancelled from inside: this scope is around it.
        self._scope = trio.CancelScope()
        self._ahead = bytearray()

    async def run(self) -> None:
        welcome = self.config.connections.enter(self)
        self.state = ConnectionState({**self.state, "crowded": welcome == "refused"})
        try:
            with self._scope:
                await (self._turn_away() if welcome == "closed" else self._serve())
        finally:
            self.config.connections.leave(self)

    def make_room(self) -> None:
        """End this connection, which waits for a request: somebody else wants its place."""
        self._scope.cancel()

    async def _serve(self) -> None:
        try:
            await super().run()
        except* h11.LocalProtocolError as group:
            # Its client left while the answer began; hypercorn then tries to begin another one.
            log.debug("a connection ended in its answer: %r", first_leaf(group))
        except* Exception as group:
            log.warning("a connection failed: %r", first_leaf(group))

    async def _turn_away(self) -> None:
        """Say that the server is full; whoever called closes the socket."""
        with trio.move_on_after(GONE_S), suppress(trio.BrokenResourceError):
            await self.stream.send_all(FULL)

    async def protocol_send(self, event: Event) -> None:
        """Write with a bound on how long the client may take for each piece."""
        if isinstance(event, Updated):
            connections = self.config.connections
            (connections.is_idle if event.idle else connections.is_busy)(self)
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        data = memoryview(event.data)
        async with self.send_lock:
            for start in range(0, len(data), WRITE_BYTES):
                await self._write(data[start : start + WRITE_BYTES])

    async def _write(self, piece: memoryview) -> None:
        try:
            with self.config.patience.waiting(self.config.write_timeout_s) as waiting:
                await self.stream.send_all(piece)
            if not waiting.cancelled_caught:
                return
            await trio.aclose_forcefully(self.stream)  # half a piece is out: nothing can follow
        except (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError):
            pass  # the last one: hypercorn is closing it because of what the client has sent
        await self._leave()

    async def _read_data(self) -> None:
        """Hand on what the client sends until it has gone, which is noticed at any time.

        While something is handled, a body that waits for the disk or a request that waits for the
        answer to the one before it, hypercorn does not read, and would see nobody leave.
        """
        while data := await self._next():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._read_ahead)
                await self.protocol.handle(RawData(data))
                nursery.cancel_scope.cancel()
        await self.protocol.handle(RawData(b""))
        await self.protocol.handle(Closed())
        self._scope.cancel()

    async def _next(self) -> bytes:
        """The next bytes, or none when the client has gone."""
        data, self._ahead = bytes(self._ahead), bytearray()
        return data or await self._receive(READ_BYTES)

    async def _read_ahead(self) -> None:
        """Read on, within a bound; when the client turns out to be gone, end its requests."""
        while (room := AHEAD_BYTES - len(self._ahead)) > 0:
            data = await self._receive(room)
            if not data:
                await trio.sleep(GONE_S)
                self._scope.cancel()
                return
            self._ahead += data

    async def _receive(self, most: int) -> bytes:
        try:
            return bytes(await self.stream.receive_some(most))
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return b""

    async def _close(self) -> None:
        with trio.CancelScope(shield=True):
            await super()._close()
        self._scope.cancel()

    async def _leave(self) -> None:
        """End every task of this connection, this one included."""
        self._scope.cancel()
        await trio.lowlevel.checkpoint()


class PlainHttp1(H11Protocol):
    """HTTP/1.1 and nothing else: a client cannot talk its way into HTTP/2 or WebSocket."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        if self.connection_state.get("crowded"):
            self._close_after_this()

    async def _check_protocol(self, event: h11.Request) -> None:
        """Where a proxy in front may have seen another end of the body, nothing can follow it."""
        if {b"content-length", b"transfer-encoding"} <= {name for name, _ in event.headers}:
            self._close_after_this()

    async def _create_stream(self, request: h11.Request) -> None:
        """Take an upgrade for the request that it also is.

        One to WebSocket would have hypercorn leave HTTP behind, timers and all, even for a client
        that HTTP forbids it to.
        """
        headers = [header for header in request.headers if header[0] != b"upgrade"]
        if len(headers) < len(request.headers):
            request = h11.Request(
                method=request.method,
                target=request.target,
                headers=headers,
                http_version=request.http_version,
            )
        await super()._create_stream(request)

    def _close_after_this(self) -> None:
        """Have hypercorn say ``Connection: close`` in the next answer, and do it."""
        self.keep_alive_requests = self.config.keep_alive_max_requests


def install_guards() -> None:
    """Make hypercorn use the guarded classes; doing it again changes nothing."""
    for module, name, guarded in (
        (hypercorn.trio.run, "TCPServer", GuardedConnection),
        (hypercorn.protocol, "H11Protocol", PlainHttp1),
    ):
        setattr(module, name, guarded)
    logging.getLogger("hypercorn.error").setLevel(logging.WARNING)  # "Running on" is ours to say


def first_leaf(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The first error in a group that is not a group itself."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
