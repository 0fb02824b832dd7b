"""Fetches the file that a client's ``url`` names: from public addresses only, in bounds.

Whoever fetches for strangers can be pointed at what only it can reach. So names are resolved here,
every address is checked, and the connection goes to the very address that was checked; a redirect
is checked like a url of its own. Nothing of ours goes along: no proxy, cookie or credential.
"""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import certifi
import h11
import trio

from asr.pipeline.errors import InvalidRequest, TooLarge
from asr.pipeline.places import Address, Place, is_public, place_of
from asr.pipeline.setting import setting

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

Lookup = Callable[..., Sequence[tuple[Any, ...]]]  # as socket.getaddrinfo
Resolve = Callable[[str, int], Awaitable[Sequence[Address]]]
Connect = Callable[[str, int], Awaitable[trio.abc.Stream]]
Write = Callable[[bytes], Awaitable[None]]

REDIRECTS = {301, 302, 303, 307, 308}
REDIRECTS_MAX = 5
HEAD_BYTES_MAX = 65_536
CHUNK_BYTES = 65_536

# An address that does not answer within this leaves time for the next one.
CONNECT_S = 5.0
ADDRESSES_MAX = 4

# Names that are looked up at once.
LOOKUPS_MAX = 8

# A server that sends nothing for so long has lost interest.
STALL_S = 15.0


@dataclass(frozen=True, slots=True)
class UrlSettings:
    """Whether and for how long the server fetches for its clients."""

    allowed: bool = setting(
        "ASR_URL_ALLOWED", False, "clients may name a public url instead of sending a file"
    )
    timeout_s: float = setting(
        "ASR_URL_TIMEOUT_S", 300.0, "400 when what a url names takes longer to come"
    )


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


class Fetcher:
    """Fetches for all requests, each by itself; nothing is kept between them."""

    def __init__(
        self,
        settings: UrlSettings,
        *,
        is_allowed: Callable[[Address], bool] = is_public,
        resolve: Resolve | None = None,
        connect: Connect = trio.open_tcp_stream,
        tls: Callable[[], ssl.SSLContext] = trusted,
    ) -> None:
        self._settings = settings
        self._is_allowed = is_allowed
        self._resolve = resolve or Resolver()
        self._dial = connect
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None  # made when first needed: it reads many files

    async def fetch(self, url: str, write: Write, *, bytes_max: int) -> str:
        """Write what the url names, part by part; a name for it to show to people.

        Raises InvalidRequest, with ``param`` url, for all that is wrong with the url or with what
        its server does, TooLarge past ``bytes_max``, and what ``write`` raises.
        """
        if not self._settings.allowed:
            raise InvalidRequest("This server fetches no urls: send the file itself", param="url")
        place = place_of(url.strip())
        name = place.name
        with trio.move_on_after(self._settings.timeout_s):
            for _ in range(1 + REDIRECTS_MAX):
                moved = await self._get(place, write, bytes_max)
                if moved is None:
                    return name
                place = place.moved(moved)
            raise _failed(f"it was redirected more than {REDIRECTS_MAX} times")
        raise _failed(f"it had not come after {self._settings.timeout_s:g} s")

    async def _get(self, place: Place, write: Write, bytes_max: int) -> str | None:
        """Write the body of the answer, or tell where it redirects to."""
        async with await self._connect(place) as stream:
            exchange = _Exchange(stream, place)
            response = await exchange.ask()
            headers = dict(response.headers)
            location = headers.get(b"location")
            if response.status_code in REDIRECTS and location is not None:
                return location.decode("utf-8", errors="replace")
            if response.status_code != 200:
                raise _failed(f"its server answered {response.status_code}")
            if headers.get(b"content-encoding", b"identity").lower() != b"identity":
                raise _failed("its server compresses it, although it was asked not to")
            if int(headers.get(b"content-length", b"0")) > bytes_max:
                raise TooLarge.file(bytes_max, param="url")
            await exchange.read(write, bytes_max)
        return None

    async def _connect(self, place: Place) -> trio.abc.Stream:
        """A stream to an address of the place that was found to be allowed."""
        addresses: Sequence[Address] = ()
        with _far_side(place), suppress(OSError, UnicodeError):
            addresses = await self._resolve(place.host, place.port)
        allowed = [address for address in addresses if self._is_allowed(address)]
        if not allowed:  # the same words whether it is unknown or ours: names inside are not told
            raise _failed("its host has no public address")
        stream = await self._first(allowed[:ADDRESSES_MAX], place)
        return await self._secured(stream, place) if place.secure else stream

    async def _first(self, addresses: Sequence[Address], place: Place) -> trio.abc.Stream:
        """A stream to the first address that takes one."""
        for address in addresses:
            with trio.move_on_after(CONNECT_S), suppress(OSError):
                return await self._dial(str(address), place.port)
        raise _failed("no connection could be made")

    async def _secured(self, stream: trio.abc.Stream, place: Place) -> trio.abc.Stream:
        self._tls = self._tls or self._make_tls()
        secured = trio.SSLStream(
            stream, self._tls, server_hostname=place.host, https_compatible=True
        )
        try:
            with _far_side(place):
                await secured.do_handshake()
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        return secured


class _Exchange:
    """One request and its answer, by HTTP/1.1."""

    def __init__(self, stream: trio.abc.Stream, place: Place) -> None:
        self._stream = stream
        self._place = place
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)

    async def ask(self) -> h11.Response:
        """The head of the answer."""
        headers = {
            "Host": self._place.authority,
            "User-Agent": "asr-service",
            "Accept": "*/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }
        with _far_side(self._place):
            request = h11.Request(
                method="GET", target=self._place.target, headers=list(headers.items())
            )
            sent = self._http.send(request) or b"", self._http.send(h11.EndOfMessage()) or b""
            await self._stream.send_all(b"".join(sent))
        while not isinstance(event := await self._event(), h11.Response):
            pass  # news that there will be one; the time for all of it is bounded
        return event

    async def read(self, write: Write, bytes_max: int) -> None:
        """Write the body, part by part."""
        taken = 0
        while isinstance(event := await self._event(), h11.Data):
            taken += len(event.data)
            if taken > bytes_max:
                raise TooLarge.file(bytes_max, param="url")
            await write(bytes(event.data))

    async def _event(self) -> object:
        with _far_side(self._place):
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(bytes(await self._stream.receive_some(CHUNK_BYTES)))
        return event


@contextmanager
def _far_side(place: Place) -> Iterator[None]:
    """What goes wrong over there, or takes too long, is told in words of ours."""
    try:
        with trio.fail_after(STALL_S):
            yield
    except trio.TooSlowError:
        raise _failed(f"its server kept us waiting for {STALL_S:g} s") from None
    except (OSError, trio.BrokenResourceError, h11.ProtocolError) as error:
        reason = error.__cause__ or error
        log.info("fetching from %s: %r", place.authority, reason)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise _failed("the certificate of its server cannot be trusted") from None
        raise _failed("the connection broke, or its server speaks no HTTP") from None


def _failed(why: str) -> InvalidRequest:
    return InvalidRequest(f"The url could not be fetched: {why}", param="url")
