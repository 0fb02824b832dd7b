"""Good files with fields that are none: junk of every type, addresses, and clips of voices."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

from tests.attack.forms import (
    ASR,
    END,
    ENDPOINTS,
    REFUSALS,
    URLENCODED,
    V1,
    Request,
    field,
    file,
)

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator
    from pathlib import Path

JUNK: tuple[bytes, ...] = (
    *(
        b"0",
        b"-1",
        b"1",
        b"2",
        b"99",
        b"1e309",
        b"-0",
        b"1_0",
        b"0x10",
        b"1" * 5000,
        b"nan",
        b"inf",
    ),
    *(b"true", b"FALSE", b"null", b"None", b"[]", b"{}", b'{"type":"server_vad"}', b'{"type":[1]}'),
    *(
        b" ",
        b"\0",
        b"\r\n",
        b"a\r\nSet-Cookie: a=b",
        b"'\"<script>",
        b"../../etc/passwd",
        b"%00%0d",
    ),
    *(
        "🎤".encode() * 20,
        "\u202e".encode(),
        "１２".encode(),
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"x" * 60_000,
    ),
    *(
        b"en",
        b"auto",
        b"de-DE",
        b"json",
        b"srt",
        b"verbose_json",
        b"word",
        b"logprobs",
        b"whisper-1",
    ),
    *(b"file:///etc/passwd", b"gopher://127.0.0.1/", b"http://127.0.0.1:1/", b"http://[::1]/a"),
    *(b"data:audio/wav;base64,", b"data:,x", b"data:audio/wav;base64,UklGRg==", b"data:;base64,!"),
    *(b"{{7*7}}", b"${jndi:ldap://a}", b"$(id)", b"; ls", b"-i", b"[" * 3000, b'{"a":' * 3000),
)


def junk_parameters(chance: random.Random) -> tuple[str, Request, tuple[str, ...]]:
    """What is odd, a request whose file is good, and the names of what it sends."""
    path = chance.choice(sorted(ENDPOINTS))
    query, form, names = [], b"", []
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        name = chance.choice(ENDPOINTS[path]).name
        value = chance.choice(JUNK)
        names.append(name)
        sent_as = chance.choice((name, name, f"{name}[]", f"{name}[0]"))
        if chance.random() < 0.5 and len(value) < 5000:
            query.append(f"{quote_plus(sent_as)}={quote_plus(value)}")
        else:
            form += field(sent_as, value)
    target = f"{path}?{'&'.join(query)}" if query else path
    body = form + file(path) + END
    return f"{path} {' '.join(names)}", Request(target, body), tuple(names)


def voice(clip: bytes) -> Request:
    """A good file, and a clip of somebody who may speak in it."""
    url = b"data:audio/wav;base64," + b64encode(clip)
    known = field("known_speaker_names[]", b"Ada") + field("known_speaker_references[]", url)
    body = field("response_format", b"diarized_json") + known + file(V1) + END
    return Request(V1, body)


def odd_urls(path: Path, host: str) -> Iterator[tuple[str, Request, frozenset[int]]]:
    """Addresses of a file and of a server of this machine: neither is public."""
    port = host.rpartition(":")[2]
    here = ("localhost", "127.1", "0x7f000001", "2130706433", "0", "[::ffff:127.0.0.1]", "[::]")
    for url in (
        *(f"http://{name}:{port}/a.wav" for name in ("127.0.0.1", "127.0.0.1.", *here)),
        *(f"http://a@127.0.0.1:{port}/", f"http://example.org@127.0.0.1:{port}/", f"//{host}/"),
        *(f"{scheme}://{host}/a" for scheme in ("ftp", "gopher", "tcp", "rtsp", "HTTP", "data")),
        *(str(path), f"file://{path}", f"file:{path}", f"http:{path}", f"http://{host}\r\n/"),
        *("http://", "http:///a", "http://[", "http://a:99999/", "http://" + "a" * 9000, "\0"),
    ):
        yield f"url {url[:60]}", Request(f"{ASR}?url={quote_plus(url)}", b"", URLENCODED), REFUSALS
