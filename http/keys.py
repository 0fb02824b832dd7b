"""API keys: who may ask, decided on a request's head, before its body is read.

A hook of the app rather than a layer around it: so a refusal has the words of the path's dialect,
and is heard by a client that is still sending its file (``body.py``).
"""

from __future__ import annotations

import re
from hashlib import sha256
from hmac import compare_digest
from typing import TYPE_CHECKING

from quart import g, request

from asr.actors.trail import note
from asr.http.errors import envelope

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from quart import Request, Response
    from quart_trio import QuartTrio
    from werkzeug.datastructures import Headers

    from asr.http.settings import HttpSettings

# Probes, and what tells people how to ask; the page asks them for their key. Everything else needs
# one, unknown paths included.
OPEN = frozenset({"/", "/health", "/docs", "/openapi.json"})
OPEN_BELOW = ("/docs/", "/page/")

BEARER = re.compile(r"bearer +(\S+) *", re.IGNORECASE)
ALIAS = "api-key"  # Azure's name for it

OWNER_DIGITS = 16  # of a key's digest: enough to tell keys apart, too few to be one

HOW = "Authorization: Bearer KEY"


def add_keys(app: QuartTrio, settings: HttpSettings) -> None:
    """Ask for one of the operator's keys; without any, everybody may ask."""
    digests = tuple(map(digest, settings.keys()))
    if not digests:
        return

    @app.before_request
    async def ask_for_key() -> Response | None:
        if request.method == "OPTIONS" or is_open(request.path):
            return None
        given = keys_given(request.headers)
        number = find(map(digest, given), digests)
        if number is None:
            return refusal(given=bool(given))
        g.key_name = f"key {number}"
        g.owner = f"key-{digests[number - 1].hex()[:OWNER_DIGITS]}"
        note(client=g.key_name)
        return None


def client_of(request: Request) -> str:
    """Who asks, for fairness between clients: the name of the key, or else the address.

    The name is the key's place in the setting, so it may be shown. Where proxies are believed, the
    address is the one that they tell.
    """
    name: str | None = g.get("key_name")
    return name or (request.scope.get("client") or ("",))[0]


def owner() -> str | None:
    """Whose jobs this request may see and end; None: everybody's, as there are no keys.

    It is made of the key itself, not of its place: jobs outlast the setting.
    """
    name: str | None = g.get("owner")
    return name


def is_open(path: str) -> bool:
    """Whether a path is answered without a key."""
    return (path.rstrip("/") or "/") in OPEN or path.startswith(OPEN_BELOW)


def keys_given(headers: Headers) -> list[str]:
    """Every key that a request shows, in either header."""
    bearers = map(BEARER.fullmatch, headers.getlist("Authorization"))
    return [*(bearer[1] for bearer in bearers if bearer), *headers.getlist(ALIAS)]


def digest(key: str) -> bytes:
    """What is compared in place of a key: always as long, so that no key's length can be timed."""
    return sha256(key.encode()).digest()


def find(given: Iterable[bytes], known: Sequence[bytes]) -> int | None:
    """The place, from 1, of the known digest that is among those given.

    Compares each with each, whatever was found before: the time tells nothing about a key.
    """
    found = [
        number
        for theirs in given
        for number, ours in enumerate(known, 1)
        if compare_digest(theirs, ours)
    ]
    return found[0] if found else None


def refusal(*, given: bool) -> Response:
    """401 in the words of the path's dialect."""
    note(error="invalid_api_key")
    message = "Incorrect API key provided" if given else f"An API key is required ({HOW})"
    response = envelope(401, message, type="invalid_request_error", code="invalid_api_key")
    response.headers["WWW-Authenticate"] = "Bearer"
    return response
