"""An internet in memory: names, addresses, and servers that say what a test wrote down."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest
import trio
from trio.testing import memory_stream_pair

from asr.actors.dialer import Dialer
from asr.actors.fetcher import Fetcher, UrlSettings
from asr.pipeline.errors import InvalidRequest

if TYPE_CHECKING:
    import ssl

    from asr.pipeline.places import Address

Talk = Callable[[trio.abc.Stream], Awaitable[None]]

HERE = "93.184.215.14"  # where example.com is
FILE = bytes(range(256)) * 1000


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer, its length included."""
    return head(*headers, f"Content-Length: {len(body)}", status=status) + body


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join((f"HTTP/1.1 {status}", *headers, "", "")).encode()


def moved(location: str, status: str = "302 Found") -> bytes:
    return answer(b"over there", f"Location: {location}", status=status)


@dataclass
class Internet:
    """``says`` has an answer for each url's path: bytes, or a function that talks."""

    nursery: trio.Nursery
    names: dict[str, list[str]] = field(default_factory=dict)
    says: dict[str, bytes | Talk] = field(default_factory=dict)
    deaf: set[str] = field(default_factory=set)  # addresses that never take a connection
    closed: set[str] = field(default_factory=set)  # and those that refuse it
    dialled: list[tuple[str, int]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)  # the heads of requests
    tls: ssl.SSLContext | None = None  # what servers show
    left: int = 0  # how many connections have ended

    async def resolve(self, host: str, _port: int) -> list[Address]:
        await trio.lowlevel.checkpoint()
        if host not in self.names:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [ip_address(address) for address in self.names[host]]

    async def connect(self, address: str, port: int) -> trio.abc.Stream:
        await trio.lowlevel.checkpoint()
        self.dialled.append((address, port))
        if address in self.deaf:
            await trio.sleep_forever()
        if address in self.closed:
            raise ConnectionRefusedError
        ours, theirs = memory_stream_pair()
        self.nursery.start_soon(self.serve, theirs)
        return ours

    async def serve(self, stream: trio.abc.Stream) -> None:
        """Hear one request, say what there is to say, and hang up."""
        if self.tls is not None:
            stream = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
        try:
            await self._serve(stream)
        except trio.BrokenResourceError:
            pass  # whoever asked has left
        finally:
            self.left += 1
            await trio.aclose_forcefully(stream)

    async def _serve(self, stream: trio.abc.Stream) -> None:
        request = b""
        while b"\r\n\r\n" not in request:
            request += (part := await stream.receive_some(1000))
            if not part:
                return
        self.asked.append(request.decode())
        says = self.says[request.split(b" ")[1].decode()]
        if isinstance(says, bytes):
            await stream.send_all(says)
        else:
            await says(stream)
        await stream.aclose()  # as a server of one answer does


class Errand:
    """A fetcher, the internet that it sees, and what it has written."""

    def __init__(self, nursery: trio.Nursery, **options: Any) -> None:
        self.internet = Internet(nursery, names={"example.com": [HERE]})
        seams = {"resolve": self.internet.resolve, "connect": self.internet.connect}
        settings = UrlSettings(allowed=True, timeout_s=60.0)
        self.fetcher = Fetcher(settings, Dialer(**(seams | options)))
        self.written: list[bytes] = []

    async def write(self, part: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.written.append(part)

    async def fetch(self, url: str = "http://example.com/a.mp3", bytes_max: int = 10**6) -> str:
        return await self.fetcher.fetch(url, self.write, bytes_max=bytes_max)

    async def refused(self, why: str, url: str = "http://example.com/a.mp3") -> None:
        """Fetching fails, with these words and no others."""
        with pytest.raises(InvalidRequest) as refusal:
            await self.fetch(url)
        expected = (f"The url could not be fetched: {why}", "url")
        assert (refusal.value.message, refusal.value.param) == expected
