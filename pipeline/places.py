"""Where a url points, and which addresses are public. Nothing is resolved or connected to here."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final
from urllib.parse import quote, unquote, urljoin, urlsplit

import idna

from asr.pipeline.errors import InvalidRequest

Address = IPv4Address | IPv6Address

PORTS = {"http": 80, "https": 443}
URL_LENGTH_MAX = 4096
NAME_LENGTH_MAX = 100

# IANA's registries of special addresses: all that is not meant for everybody, or not for one host.
SPECIAL: Final = tuple(
    ip_network(network)
    for network in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's own services, at a public address
        *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
    )
)
GLOBAL_UNICAST: Final = ip_network("2000::/3")  # no other IPv6 address is a host of the internet
NAT64: Final = ip_network("64:ff9b::/96")  # an IPv4 address is in its last four bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a url points. ``host`` and ``target`` are as they go over the wire."""

    url: str
    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """The host, and the port where it is not the usual one, as in the header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = PORTS["https" if self.secure else "http"]
        return host if self.port == usual else f"{host}:{self.port}"

    @property
    def name(self) -> str:
        """The last part of the path, or else the host: for people, never a path of ours."""
        last = unquote(urlsplit(self.url).path.rpartition("/")[2])
        return "".join(filter(str.isprintable, last))[:NAME_LENGTH_MAX] or self.host

    def moved(self, location: str) -> "Place":
        """Where a redirect leads, whose location may be a relative one. Raises InvalidRequest."""
        try:
            return place_of(urljoin(self.url, location))
        except ValueError:
            raise _refused("url", "is redirected to what is not a url") from None


def place_of(url: str, *, param: str = "url") -> Place:
    """Where a url points, or InvalidRequest, which names the ``param`` that it was."""
    if len(url) > URL_LENGTH_MAX or not url.isprintable():
        raise _refused(
            param, f"is longer than {URL_LENGTH_MAX} characters, or has unprintable ones"
        )
    try:
        parts = urlsplit(url)
        host, port = _ascii(parts.hostname or ""), parts.port
    except ValueError:  # a port of letters, half an IPv6 address, a name that cannot exist
        raise _refused(param, "is not a url") from None
    if parts.scheme not in PORTS:
        raise _refused(param, "must begin with http:// or https://")
    if "@" in parts.netloc:
        raise _refused(param, "must not hold a user name or a password")
    if not host:
        raise _refused(param, "names no host")
    # What is quoted stays as it is, and what must be quoted becomes so.
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~")
    query = quote(parts.query, safe="/%:@!$&'()*+,;=~?")
    target = f"{path}?{query}" if query else path
    usual = PORTS[parts.scheme]
    return Place(url, parts.scheme == "https", host, usual if port is None else port, target)


def _ascii(host: str) -> str:
    return host if host.isascii() else idna.encode(host, uts46=True).decode("ascii")


def _refused(param: str, why: str) -> InvalidRequest:
    return InvalidRequest(f"The {param} {why}", param=param)


def is_public(address: Address) -> bool:
    """Whether an address is one host of the internet, also where IPv6 only wraps an IPv4 one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in NAT64:
            return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
        if address not in GLOBAL_UNICAST:
            return False
    return not any(address in network for network in SPECIAL)
