"""Who the client is when reverse proxies stand in front.

Each proxy appends the address that it was asked from, so only as many elements as there are
proxies, counted from the right, say something true; a client may write what it likes further left.
"""

from __future__ import annotations

import re
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

# Some proxies add the port, and brackets around an IPv6 address.
WITH_PORT = re.compile(r"\[([^\]]+)\](?::\d{1,5})?|([^:]+):\d{1,5}")
SCHEMES = frozenset({"http", "https"})


def forwarded(headers: Iterable[tuple[bytes, bytes]], *, hops: int) -> dict[str, Any]:
    """What of an ASGI scope the proxies know better: ``client``, and ``scheme`` if it is told.

    Nothing with 0 ``hops``, nor when the hop's element is missing or no address: then the request
    did not come through all of the proxies, and what it says of itself does not count.
    """
    if hops < 1:
        return {}
    headers = list(headers)
    address = tidy_address(nth_from_right(headers, b"x-forwarded-for", hops))
    if address is None:
        return {}
    scheme = nth_from_right(headers, b"x-forwarded-proto", hops).lower()
    told: dict[str, Any] = {"scheme": scheme} if scheme in SCHEMES else {}
    return {**told, "client": (address, 0)}  # the port is not known


def nth_from_right(headers: Iterable[tuple[bytes, bytes]], name: bytes, n: int) -> str:
    """An element of a list that may be spread over several headers, or nothing.

    An empty element counts as one: leaving it out would move a forged one into its place.
    """
    whole = b",".join(value for key, value in headers if key.lower() == name)
    elements = whole.decode("latin-1").rsplit(",", n)
    return elements[-n].strip() if len(elements) >= n else ""


def tidy_address(text: str) -> str | None:
    """An IP address in its one spelling, without port and brackets; None if it is something else.

    One spelling, because the queue is fair between addresses.
    """
    if parts := WITH_PORT.fullmatch(text):
        text = parts[1] or parts[2]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.scope_id is not None:  # a name of the proxy's network interface, or junk
            return None
        address = address.ipv4_mapped or address
    return str(address)
