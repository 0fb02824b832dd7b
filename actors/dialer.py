"""Connections to places that strangers name: to an address that was checked, and to no other.

Whoever goes where strangers point can be pointed at what only it can reach. So names are resolved
here, every address is checked, and the connection goes to the very address that was checked.
Nothing of ours goes along: no proxy, cookie or credential.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import certifi
import h11
import trio

from asr.pipeline.places import Address, Place, is_public

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

log = logging.getLogger(__name__)

Lookup = Callable[..., Sequence[tuple[Any, ...]]]  # as socket.getaddrinfo
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]

HEAD_BYTES_MAX = 65_536
CHUNK_BYTES = 65_536

# An address that does not answer within this leaves time for the next one.
CONNECT_S = 5.0
ADDRESSES_MAX = 4

# Names that are looked up at once.
LOOKUPS_MAX = 8

# A server that sends nothing for so long has lost interest.
STALL_S = 15.0


class FarSide(Exception):
    """What went wrong over there, in words that may be shown to who named the place."""


class Resolver:
    """Looks names up in threads of its own: who asks a slow name server cannot be called back.

    Trio's other threads start every ffmpeg: strangers must not get them stuck.
    """

    def __init__(self, lookup: Lookup = socket.getaddrinfo) -> None:
        self._lookup = lookup
        self._limiter = trio.CapacityLimiter(LOOKUPS_MAX)

    async def __call__(self, host: str, port: int) -> tuple[Address, ...]:
        """The addresses of a host, the system's favourite first. Raises OSError, UnicodeError."""
        look = partial(self._lookup, host, port, type=socket.SOCK_STREAM)
        found = await trio.to_thread.run_sync(look, abandon_on_cancel=True, limiter=self._limiter)
        return tuple(dict.fromkeys(ip_address(at[0]) for *_, at in found))


def trusted() -> ssl.SSLContext:
    """Certificates are verified with what the system trusts, and what Mozilla does."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    return context


class Dialer:
    """Connects to places whose address is allowed."""

    def __init__(
        self,
        *,
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve | None = None,
        connect: Connect = trio.open_tcp_stream,
        tls: Callable[[], ssl.SSLContext] = trusted,
    ) -> None:
        self._is_allowed = is_allowed
        self._resolve = resolve or Resolver()
        self._dial = connect
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None  # made when first needed: it reads many files

    async def connect(self, place: Place) -> trio.abc.Stream:
        """A stream to an address of the place that was found to be allowed. Raises FarSide."""
        addresses: Sequence[Address] = ()
        with far_side(place), suppress(OSError, UnicodeError):
            addresses = await self._resolve(place.host, place.port)
        allowed = [address for address in addresses if self._is_allowed(address)]
        if not allowed:  # the same words whether it is unknown or ours: names inside are not told
            raise FarSide("its host has no public address")
        stream = await self._first(allowed[:ADDRESSES_MAX], place)
        return await self._secured(stream, place) if place.secure else stream

    async def _first(self, addresses: Sequence[Address], place: Place) -> trio.abc.Stream:
        """A stream to the first address that takes one."""
        for address in addresses:
            with trio.move_on_after(CONNECT_S), suppress(OSError):
                return await self._dial(str(address), place.port)
        raise FarSide("no connection could be made")

    async def _secured(self, stream: trio.abc.Stream, place: Place) -> trio.abc.Stream:
        self._tls = self._tls or self._make_tls()
        secured = trio.SSLStream(
            stream, self._tls, server_hostname=place.host, https_compatible=True
        )
        try:
            with far_side(place):
                await secured.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured


class Exchange:
    """One request and its answer, by HTTP/1.1. Raises FarSide."""

    def __init__(self, stream: trio.abc.Stream, place: Place) -> None:
        self._stream = stream
        self._place = place
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)

    async def ask(self, method: str, headers: Mapping[str, str], body: bytes = b"") -> h11.Response:
        """The head of the answer to a request."""
        with far_side(self._place):
            request = h11.Request(
                method=method,
                target=self._place.target,
                headers=[("Host", self._place.authority), *headers.items()],
            )
            parts = [request, *([h11.Data(data=body)] if body else []), h11.EndOfMessage()]
            await self._stream.send_all(b"".join(self._http.send(part) or b"" for part in parts))
        while not isinstance(event := await self._event(), h11.Response):
            pass  # news that there will be one; the time for all of it is bounded
        return event

    async def part(self) -> bytes | None:
        """The next part of the answer's body; None at its end."""
        event = await self._event()
        return bytes(event.data) if isinstance(event, h11.Data) else None

    async def _event(self) -> object:
        with far_side(self._place):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(bytes(await self._stream.receive_some(CHUNK_BYTES)))
        return event


@contextmanager
def far_side(place: Place) -> Iterator[None]:
    """What goes wrong over there, or takes too long, is told in words of ours."""
    try:
        with trio.fail_after(STALL_S):
            yield
    except trio.TooSlowError:
        raise FarSide(f"its server kept us waiting for {STALL_S:g} s") from None
    except (OSError, trio.BrokenResourceError, h11.ProtocolError) as error:
        reason = error.__cause__ or error
        log.info("talking to %s: %r", place.authority, reason)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise FarSide("the certificate of its server cannot be trusted") from None
        raise FarSide("the connection broke, or its server speaks no HTTP") from None
