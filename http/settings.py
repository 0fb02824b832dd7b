"""What the operator may set about the front desk."""

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import SecretStr

from asr.pipeline.cues import Layout
from asr.pipeline.setting import setting

# What is easy to read: two lines of 42 characters, and seven seconds, as broadcasters have it.
READABLE = Layout(line_width_max=42, lines_max=2, cue_s_max=7.0)

KEY = re.compile(r"[!-~]{1,512}")  # what every client can put into a header as it is

HOST_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")

# Not only web pages have origins: desktop programs and browser extensions have their own schemes.
ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?")
DEFAULT_PORTS = frozenset({("http", ":80"), ("https", ":443")})  # browsers leave these out


@dataclass(frozen=True, slots=True)
class HttpSettings:
    """Where to listen, who may ask, which dialect to speak, how long to wait for slow clients."""

    host: str = setting(
        "HOST", "127.0.0.1", "address to listen on; 0.0.0.0 opens it to the network"
    )
    port: int = setting("PORT", 9001, "port to listen on; 0 takes a free one")
    api_keys: SecretStr | None = setting(
        "API_KEYS", None, "clients must send one of these, separated by commas; none: all may ask"
    )
    cors_origins: str = setting(
        "ASR_CORS_ORIGINS",
        "",
        "whose pages may read the answers in a browser: origins such as https://app.example, "
        "separated by commas; *: everybody's",
    )
    hosts_allowed: str = setting(
        "ASR_HOSTS_ALLOWED",
        "",
        "public names by which clients reach this server, separated by commas; addresses and local "
        "names always do, and with API_KEYS every name; *: every name",
    )
    proxy_hops: int = setting(
        "ASR_PROXY_HOPS", 0, "reverse proxies in front whose X-Forwarded-For and -Proto count"
    )
    asr_dialect: Literal["auto", "classic", "wrapped"] = setting(
        "ASR_DIALECT", "auto", "answers of /asr; auto goes by the names that the client uses"
    )
    readable_subtitles: bool = setting(
        "ASR_READABLE_SUBTITLES",
        False,
        "srt and vtt in two lines of 42 characters and 7 s a cue at most, unless asked otherwise",
    )
    connections_max: int = setting(
        "ASR_CONNECTIONS_MAX",
        1000,
        "open connections; past that idle ones are closed, then 503; fewer if descriptors are few",
    )
    body_chunk_timeout_s: float = setting(
        "ASR_BODY_CHUNK_TIMEOUT_S", 30.0, "408 when an upload pauses for longer"
    )
    upload_max_s: float = setting("ASR_UPLOAD_MAX_S", 1800.0, "408 when an upload takes longer")
    # 64 KiB in 30 s is slower than any modem: who reads less than that does not read.
    write_timeout_s: float = setting(
        "ASR_WRITE_TIMEOUT_S", 30.0, "a client that does not read its answer is cut off"
    )
    linger_s: float = setting(
        "ASR_LINGER_S", 5.0, "how long the rest of a refused upload is read and dropped"
    )
    # Also the time for a request's head. Longer than the 5 s after which most pools reconnect.
    keep_alive_s: float = setting("ASR_KEEP_ALIVE_S", 15.0, "idle connections are closed after")

    def __post_init__(self) -> None:
        """ValueError for keys, origins or names that no client could ever send."""
        self.keys()
        self.origins()
        self.hosts()

    def keys(self) -> tuple[str, ...]:
        """The keys that open the server; none: it is open to all."""
        keys = _listed(self.api_keys.get_secret_value() if self.api_keys else "")
        for number, key in enumerate(keys, 1):
            if not KEY.fullmatch(key):
                what = "1 to 512 visible ASCII characters" if key else "more than nothing"
                raise ValueError(f"API_KEYS: key {number} of {len(keys)} must be {what}")
        return keys

    def origins(self) -> frozenset[str]:
        """The allowed origins as browsers write them, or ``*``."""
        return frozenset(map(_origin, _listed(self.cors_origins)))

    def hosts(self) -> frozenset[str]:
        """Names that clients may call this server by, beside those that nobody has in public."""
        hosts = frozenset(entry.lower().rstrip(".") for entry in _listed(self.hosts_allowed))
        for host in sorted(hosts):
            if not (HOST_NAME.fullmatch(host) or host == "*"):
                raise ValueError(f"ASR_HOSTS_ALLOWED cannot hold {host!r}: expected a name, or *")
        return hosts

    @property
    def layout(self) -> Layout:
        """How subtitles are laid out for clients that say nothing of it."""
        return READABLE if self.readable_subtitles else Layout()


def _listed(text: str) -> tuple[str, ...]:
    """The entries of a comma separated list, none if there is no text."""
    return tuple(entry.strip() for entry in text.split(",")) if text else ()


def _origin(entry: str) -> str:
    """An origin without what browsers leave out; ValueError if it is none."""
    if entry == "*":
        return entry
    if not (parts := ORIGIN.fullmatch(entry.lower())):
        wanted = "scheme://host or scheme://host:port, without a path, or *"
        raise ValueError(f"ASR_CORS_ORIGINS cannot hold {entry!r}: expected {wanted}")
    port = parts[2] or ""
    return parts[0].removesuffix(port) if (parts[1], port) in DEFAULT_PORTS else parts[0]
