"""Fetches the file that a client's ``url`` names: from public addresses only, in bounds.

``dialer.py`` sees to where the connection goes; a redirect is checked like a url of its own.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import trio

from asr.actors.dialer import Dialer, Exchange, FarSide
from asr.pipeline.errors import InvalidRequest, TooLarge
from asr.pipeline.places import Place, place_of
from asr.pipeline.setting import setting

Write = Callable[[bytes], Awaitable[None]]

REDIRECTS = {301, 302, 303, 307, 308}
REDIRECTS_MAX = 5

HEADERS = {
    "User-Agent": "asr-service",
    "Accept": "*/*",
    "Accept-Encoding": "identity",
    "Connection": "close",
}


@dataclass(frozen=True, slots=True)
class UrlSettings:
    """Whether and for how long the server fetches for its clients."""

    allowed: bool = setting(
        "ASR_URL_ALLOWED", False, "clients may name a public url instead of sending a file"
    )
    timeout_s: float = setting(
        "ASR_URL_TIMEOUT_S", 300.0, "400 when what a url names takes longer to come"
    )


class Fetcher:
    """Fetches for all requests, each by itself; nothing is kept between them."""

    def __init__(self, settings: UrlSettings, dialer: Dialer | None = None) -> None:
        self._settings = settings
        self._dialer = dialer or Dialer()

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
                try:
                    moved = await self._get(place, write, bytes_max)
                except FarSide as error:
                    raise _failed(str(error)) from None
                if moved is None:
                    return name
                place = place.moved(moved)
            raise _failed(f"it was redirected more than {REDIRECTS_MAX} times")
        raise _failed(f"it had not come after {self._settings.timeout_s:g} s")

    async def _get(self, place: Place, write: Write, bytes_max: int) -> str | None:
        """Write the body of the answer, or tell where it redirects to."""
        async with await self._dialer.connect(place) as stream:
            exchange = Exchange(stream, place)
            response = await exchange.ask("GET", HEADERS)
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
            taken = 0
            while (part := await exchange.part()) is not None:
                taken += len(part)
                if taken > bytes_max:
                    raise TooLarge.file(bytes_max, param="url")
                await write(part)
        return None


def _failed(why: str) -> InvalidRequest:
    return InvalidRequest(f"The url could not be fetched: {why}", param="url")
