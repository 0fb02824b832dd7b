"""What hypercorn 0.18 lacks on trio: one bad connection must never hurt another, or the server.

Stock, an exception of one connection ends the whole server, a client that stops reading hangs the
shutdown, and idle or paused connections whose client has left are kept for ever. The version is
pinned, and tests/http/test_guards.py holds these overrides against what is installed.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import hypercorn.protocol
import hypercorn.trio.run
import trio
from hypercorn.config import Config
from hypercorn.events import RawData
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer

from asr.http.patience import Patience

if TYPE_CHECKING:
    import h11
    from hypercorn.events import Event

log = logging.getLogger(__name__)

WRITE_BYTES = 65_536  # what must be taken by the client within one write timeout


class GuardedConfig(Config):
    """Hypercorn's configuration as we run it, and how long one write may wait for its client.

    The read timeout stays off: it would also cut off who rightly waits for an answer.
    """

    write_timeout_s: float = 30.0
    alpn_protocols = ["http/1.1"]  # noqa: RUF012 - Config declares it so
    include_server_header = False
    errorlog = logging.getLogger("hypercorn.error")

    def __init__(self) -> None:
        super().__init__()
        self.patience = Patience()


class GuardedConnection(TCPServer):
    """One connection, which takes nothing with it when it ends and leaves nothing behind."""

    config: GuardedConfig

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        # Hypercorn's own nursery must not be cancelled from inside: this scope is around it.
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        with self._scope:
            try:
                await super().run()
            except* Exception as group:
                log.warning("a connection failed: %r", first_leaf(group))

    async def protocol_send(self, event: Event) -> None:
        """Write with a bound on how long the client may take for each piece."""
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
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        await self._leave()

    async def _read_data(self) -> None:
        await super()._read_data()  # returns when the client has gone
        self._scope.cancel()

    async def _close(self) -> None:
        with trio.CancelScope(shield=True):
            await super()._close()
        self._scope.cancel()

    async def _leave(self) -> None:
        """End every task of this connection, this one included."""
        self._scope.cancel()
        await trio.lowlevel.checkpoint()


class PlainHttp1(H11Protocol):
    """HTTP/1.1 and nothing else: a client cannot talk its way into HTTP/2 on a plain socket."""

    async def _check_protocol(self, event: h11.Request) -> None:
        pass


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
