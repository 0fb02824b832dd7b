"""A request body with backpressure, and a connection that outlives an early answer politely.

Quart's own body grows without bound while the handler is busy, and does not enforce its limit on
chunked bodies. Here the client is made to wait instead, and the limit holds for every body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio
from quart_trio.asgi import TrioASGIHTTPConnection
from quart_trio.wrappers.request import TrioBody, TrioRequest
from werkzeug.exceptions import RequestEntityTooLarge

if TYPE_CHECKING:
    from collections.abc import Generator

    from hypercorn.typing import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent
    from quart.typing import ResponseTypes
    from quart.wrappers import Request

    from asr.http.door import Door

CHUNKS_MAX = 2  # of at most 64 KiB each: one being written, one waiting
LINGER_BYTES = 64_000_000  # of a refused upload; past that the client may see a reset


class BoundedBody(TrioBody):
    """The body of one request: at most CHUNKS_MAX chunks are held, never more than the limit."""

    def __init__(self, expected_content_length: int | None, max_content_length: int | None) -> None:
        super().__init__(expected_content_length, max_content_length)
        self._sender, self._receiver = trio.open_memory_channel[bytes](CHUNKS_MAX)
        self._seen = 0
        self._dropped = 0
        self._discarding = False
        self.over = trio.Event()  # nothing more has to be read

    async def put(self, data: bytes) -> None:
        """Take the next chunk from the network; waits while the handler is behind."""
        self._seen += len(data)
        if self._max_content_length is not None and self._seen > self._max_content_length:
            self._must_raise = RequestEntityTooLarge()
            self._sender.close()
            self._discarding = True
        if self._discarding:
            self._drop(len(data))
        elif data:
            await self._hand_over(data)

    async def _hand_over(self, data: bytes) -> None:
        try:
            await self._sender.send(data)
        except trio.BrokenResourceError:  # the answer is already on its way: nobody reads this
            self._drop(len(data))

    def _drop(self, size: int) -> None:
        self._dropped += size
        if self._dropped > LINGER_BYTES:
            self.over.set()

    def set_complete(self) -> None:
        super().set_complete()
        self._sender.close()
        self.over.set()

    def discard(self) -> None:
        """Read the rest for politeness only. Must come before the answer is sent, or it deadlocks.

        At the end of an answer hypercorn puts a notice into the queue that ``put`` empties.
        """
        self._discarding = True
        self._receiver.close()

    async def __anext__(self) -> bytes:
        if self._must_raise is not None:
            raise self._must_raise
        try:
            return await self._receiver.receive()
        except (trio.EndOfChannel, trio.ClosedResourceError):
            if self._must_raise is not None:
                raise self._must_raise from None
            raise StopAsyncIteration from None

    def __await__(self) -> Generator[object, None, bytes]:
        return self._collect().__await__()

    async def _collect(self) -> bytes:
        return b"".join([chunk async for chunk in self])


class BoundedRequest(TrioRequest):
    """A request whose body is bounded.

    ``nursery`` is for what goes on beside the answer, and is over with it, however that ends.
    """

    body_class = BoundedBody
    door: Door
    nursery: trio.Nursery


def bounded(request: Request) -> BoundedRequest:
    """A request as what it is here, also where Quart speaks of any."""
    return cast("BoundedRequest", request)


class LingeringConnection(TrioASGIHTTPConnection):
    """One request: cancelled as soon as its client leaves, and read to its end after an answer."""

    _body: BoundedBody
    _ending = False

    def _create_request_from_scope(self, send: ASGISendCallable) -> Request:
        request = bounded(super()._create_request_from_scope(send))
        request.door = self.app.config["DOOR"]
        self._body = cast("BoundedBody", request.body)
        return request

    async def handle_request(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Request, send: ASGISendCallable
    ) -> None:
        """Answer; what goes on beside that ends with it."""
        bounded(request).nursery = nursery
        await super().handle_request(nursery, request, send)

    async def handle_messages(  # type: ignore[override]
        self, nursery: trio.Nursery, request: Request, receive: ASGIReceiveCallable
    ) -> None:
        """Feed the body; when the client goes, cancel the handler."""
        while (message := await receive())["type"] == "http.request":
            await self._body.put(message["body"])
            if not message["more_body"]:
                self._body.set_complete()
        # Hypercorn says "disconnect" at the end of every answer, and tidies the connection up
        # within this nursery: cancelling it then would keep the connection open for ever.
        if not self._ending:
            nursery.cancel_scope.cancel()

    async def _send_response(self, send: ASGISendCallable, response: ResponseTypes) -> None:
        self._body.discard()

        async def send_and_linger(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.body" and not message["more_body"]:
                await self._linger()
                self._ending = True
            await send(message)

        await super()._send_response(send_and_linger, response)

    async def _linger(self) -> None:
        """Wait for the rest of the body; not even for a moment where there is none.

        In that moment a client that has its answer may leave, and would seem to have left without.
        """
        if not self._body.over.is_set():
            with self.app.config["DOOR"].patience.waiting(self.app.config["LINGER_S"]):
                await self._body.over.wait()
