"""What goes over the wire of one request, seen from the edge, and what is put down of it."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from asr.actors.trail import stage
from asr.http.health import ALWAYS_OPEN

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from asr.actors.trail import Trail

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

CLIENT_LEFT = 499  # nginx's number for a request whose client did not wait for the answer
INTERNAL_ERROR = 500

PATH_CHARACTERS_MAX = 200

# What is left of an address of the internet: the network that it is in, not the person.
IPV4_BITS, IPV6_BITS = 24, 48


class Exchange:
    """One request and its answer on their way through the edge."""

    def __init__(self, scope: Message, receive: Receive, send: Send, request_id: str) -> None:
        self.status = CLIENT_LEFT
        self.complete = False  # whether its client has all that it waits for
        self._scope = scope
        self._receive = receive
        self._send = send
        self._id = (b"x-request-id", request_id.encode())
        self._received = 0
        self._sent = 0
        self._length = ""

    async def receive(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        return message

    async def send(self, message: Message) -> None:
        """Hand the answer on, with the request's id in its head.

        Clients close their connection when they have what was announced, or all events, and do not
        wait for the full stop behind it.
        """
        body = message.get("body", b"")
        last = message["type"] == "http.response.body" and not message.get("more_body", False)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._length = announced(message["headers"])
            message = {**message, "headers": [*message["headers"], self._id]}
        self.complete = self.complete or (last and not body)
        with nullcontext() if self.complete else stage("send"):
            await self._send(message)
        self._sent += len(body)
        self.complete = self.complete or last or str(self._sent) == self._length

    def failed(self) -> None:
        """The app broke, and its server answers for it."""
        self.status = INTERNAL_ERROR if self.status == CLIENT_LEFT else self.status
        self.complete = True

    @property
    def endpoint(self) -> str:
        """The route, as the app noted it."""
        return str(self._scope["state"].get("endpoint", "<none>"))

    @property
    def level(self) -> int:
        """How much the line of the request matters.

        Probes come every few seconds for as long as the server lives: not worth a line.
        """
        if self._scope["path"] in ALWAYS_OPEN:
            return logging.DEBUG
        return logging.WARNING if self.status >= INTERNAL_ERROR else logging.INFO

    def describe(self, trail: Trail) -> None:
        """Put down what was seen here. The query is left out: there are people's words in it."""
        host = (self._scope.get("client") or ("",))[0]
        trail.facts = {
            "request_id": trail.id,
            "method": self._scope["method"],
            "path": quote(self._scope["path"])[:PATH_CHARACTERS_MAX],
            "endpoint": self.endpoint,
            "status": self.status,
            "client": shown(host),
            "bytes_received": self._received,
            "bytes_sent": self._sent,
            **trail.facts,
        }


def announced(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """How many bytes an answer is said to have; empty if nothing is said."""
    lengths = (value.decode() for name, value in headers if name.lower() == b"content-length")
    return next(lengths, "")


def shown(host: str) -> str:
    """A client's address, as far as a log needs it: of the internet's, only the network."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if not address.is_global:
        return str(address)
    bits = IPV4_BITS if isinstance(address, IPv4Address) else IPV6_BITS
    return str(ip_network((address, bits), strict=False))
