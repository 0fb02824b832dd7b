"""What keeps a page of the web from using this server through the browser of who looks at it.

Such a page needs no leave to send a form to 127.0.0.1, and one whose own name suddenly means that
address ("DNS rebinding") may even read the answers. A key stops both, so this is for servers that
ask for none: programs notice nothing of it.
"""

from __future__ import annotations

from ipaddress import ip_address
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from quart import Response, request

from asr.actors.trail import note
from asr.http.cors import allowed
from asr.http.errors import envelope
from asr.http.keys import is_open

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quart.typing import ResponseTypes
    from quart_trio import QuartTrio
    from werkzeug.datastructures import Headers

    from asr.http.settings import HttpSettings

# Names that nobody can have in public: of this machine (RFC 6761), of home networks (RFC 6762 and
# 8375), of private ones, and of containers. A page of the web has a public one.
PRIVATE = (".localhost", ".local", ".lan", ".home.arpa", ".internal", ".svc")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
OWN_PAGE = frozenset({"same-origin", "none"})  # Sec-Fetch-Site: our page, or the address line

OTHER_NAME = "This server does not answer to that name (ASR_HOSTS_ALLOWED)"
OTHER_SITE = "Pages of other sites may not use this server (ASR_CORS_ORIGINS)"

# Of answers that say nothing else: they are data, for who asked, and belong into no other page.
HEADERS: Mapping[str, str] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
)


def add_browser_rules(app: QuartTrio, settings: HttpSettings) -> None:
    """Refuse what only a foreign page sends, and tell browsers what answers are for.

    Install it behind ``add_cors``, which answers preflights.
    """
    names, origins = settings.hosts(), settings.origins()

    @app.after_request
    async def tell_browser(response: ResponseTypes) -> ResponseTypes:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        return response

    if settings.keys():
        return

    @app.before_request
    async def refuse_foreign_pages() -> Response | None:
        if is_open(request.path) or "*" in origins:
            return None
        if "*" not in names and not is_ours(host_of(request.headers), names):
            return refusal(OTHER_NAME, "host")
        if request.method not in SAFE_METHODS and is_foreign(request.headers, origins):
            return refusal(OTHER_SITE, "origin")
        return None


def host_of(headers: Headers) -> str:
    """The name or address that the client asked, without its port; empty if it said none."""
    try:
        return (urlsplit(f"//{headers.get('Host', '')}").hostname or "").rstrip(".")
    except ValueError:  # brackets around nonsense
        return "?."


def is_ours(host: str, names: frozenset[str]) -> bool:
    """Whether a server may be called so: by address, by a name without dots, or as told."""
    if "." not in host or host in names or host.endswith(PRIVATE):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def is_foreign(headers: Headers, origins: frozenset[str]) -> bool:
    """Whether a page of another site sends this.

    Browsers say so themselves, to addresses that they trust: HTTPS, and this machine. Elsewhere the
    page's origin is held against the name that was asked.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site in OWN_PAGE or allowed(origin, origins):
        return False
    if origin is None:
        return site is not None
    scheme, _, rest = origin.lower().partition("://")
    if origin != "null" and scheme not in ("http", "https"):
        return False  # an extension, or a program made of web pages: the user installed it
    return site is not None or rest != headers.get("Host", "").lower()


def refusal(message: str, what: str) -> Response:
    """403 in the words of the path's dialect."""
    code = f"{what}_not_allowed"
    note(error=code)
    return envelope(403, message, type="invalid_request_error", code=code)
