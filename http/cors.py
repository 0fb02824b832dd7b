"""What browsers must be told before a page of another origin may read our answers.

Credentials are never allowed: a page has to know a key, a cookie does not help it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from quart import Response, request

if TYPE_CHECKING:
    from quart.typing import ResponseTypes
    from quart_trio import QuartTrio

    from asr.http.settings import HttpSettings

METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
EXPOSED = "Asr-Engine, Asr-Warnings, Content-Disposition, Location, Retry-After, X-Request-Id"
MAX_AGE_S = 7200  # Chromium remembers no longer

# OpenAI's SDK sends some twenty names of its own, of about 25 letters each.
NAMES_MAX = 1024
NAMES = re.compile(r"[A-Za-z0-9_-]+(?: *, *[A-Za-z0-9_-]+)*")
USUAL_NAMES = "Authorization, Content-Type, X-Request-Id, api-key"


def add_cors(app: QuartTrio, settings: HttpSettings) -> None:
    """Let pages of the operator's origins in; to others nothing changes.

    Install it before whatever may refuse a request: a preflight carries no key, and must not fail
    where the request itself would hear a reason.
    """
    origins = settings.origins()
    if not origins:
        return

    @app.before_request
    async def answer_preflight() -> Response | None:
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return preflight() if asked and allowed(request.headers.get("Origin"), origins) else None

    @app.after_request
    async def tell_browser(response: ResponseTypes) -> ResponseTypes:
        origin = allowed(request.headers.get("Origin"), origins)
        if origin:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = EXPOSED
        if "*" not in origins:
            response.vary.add("Origin")  # so that no cache gives one page the answer to another
        return response


def allowed(origin: str | None, origins: frozenset[str]) -> str | None:
    """What to answer to an origin: itself, ``*``, or nothing."""
    if "*" in origins:
        return "*"
    return origin if origin in origins else None


def preflight() -> Response:
    """Yes to whatever headers the page would send: none of them opens more than a client has."""
    names = request.headers.get("Access-Control-Request-Headers", "")
    decent = len(names) <= NAMES_MAX and NAMES.fullmatch(names)
    response = Response("", status=204)
    for name in ("Content-Type", "Content-Length"):  # of nothing
        response.headers.pop(name, None)
    response.headers["Access-Control-Allow-Methods"] = METHODS
    response.headers["Access-Control-Allow-Headers"] = names if decent else USUAL_NAMES
    response.headers["Access-Control-Max-Age"] = str(MAX_AGE_S)
    return response
