"""Clients that do everything wrong on a socket, made from a seed; and what they hear."""

from __future__ import annotations

import random
import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

import trio

from tests.http.wire import FORM_TYPE, asr_form, connect_to, form, post

if TYPE_CHECKING:
    from collections.abc import Iterator

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
CHUNKED = (
    f"POST /asr HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM_TYPE}\r\n"
    "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
).encode()
EARLY = b"POST /none HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
CLOSING = b"POST /none HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabcdef"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
H2C = (
    b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
    b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n"
)
HELLO_TLS = bytes.fromhex("1603010200010001fc0303") + bytes(range(256))
HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"

# In two pieces, with a moment for the server in between: each ends a stock hypercorn on trio.
KILLERS = {
    "an upgrade with a byte too much": (UPGRADE + b"x", b""),
    "a bad chunk after an early answer": (EARLY, b"zz\r\n"),
    "more bytes than announced": (CLOSING, b"ghi"),
    "http/2 by prior knowledge": (PREFACE, b"\x00\x00\x05\x00\x01\x00\x00\x00\x01hello"),
    "http/2 by upgrade": (H2C, PREFACE),
    "a pipelined request and gone": (EARLY + b"0\r\n\r\n" + CLOSING, b"GET / HTTP/1.1\r\n"),
    "garbage": (HELLO_TLS, b"\r\n\r\n"),
}

# All from which the mutations start. The forms hold no sound: what ffmpeg makes of those is another
# subject.
SEEDS = (
    *(UPGRADE + b"\x81\x85abcdhello", CHUNKED + b"0\r\n\r\n", EARLY + b"0\r\n\r\n", CLOSING),
    *(PREFACE, H2C, HELLO_TLS, HEALTH * 3, HEALTH + CHUNKED + b"0\r\n\r\n" + HEALTH),
    post("/asr?output=txt", asr_form({"language": "en"})),
    post("/v1/audio/transcriptions", form({"model": "whisper-1", "stream": "true"})),
    post("/detect-language", asr_form(), "Expect: 100-continue"),
    b"OPTIONS * HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\n\r\n",
    b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\nx",
    b"GET /docs/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"HEAD http://x/openapi.json HTTP/1.1\r\nHost: x\r\nRange: bytes=0-1\r\n\r\n",
)

# What is put in where a mutation adds something: the field's own words, in wrong places.
WORDS = (
    *(b"\r\n", b"\n", b"\x00", b"\r\n\r\n", b" ", b":", b";", b"\xff\xfe", b"%00", b"//", b"0x10"),
    *(b"\r\nContent-Length: 5", b"\r\nContent-Length: -1", b"\r\nContent-Length: 99999999999"),
    *(b"\r\nTransfer-Encoding: chunked", b"\r\nTransfer-Encoding: gzip, chunked", b"ffffffff\r\n"),
    *(b"\r\nConnection: close", b"\r\nConnection: upgrade", b"\r\nExpect: 100-continue"),
    *(b"\r\nHost: y", b"\r\nUpgrade: websocket", b"--the-boundary", b"A" * 20_000),
)

Ending = Literal["close", "reset", "half", "patient"]
ENDINGS: tuple[Ending, ...] = ("close", "close", "reset", "half", "patient")

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LISTEN_S = 0.1  # how long an answer is waited for after each piece; most come sooner
PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Attack:
    """Pieces that are sent one after the other, and the way the client goes.

    ``reset`` goes with a bang; ``half`` says that it will send no more, and listens until the
    server has closed, as ``patient`` does without that.
    """

    pieces: tuple[bytes, ...]
    ending: Ending


def attacks(seed: int, count: int) -> Iterator[Attack]:
    """So many attacks, always the same for a seed."""
    chance = random.Random(seed)
    for _ in range(count):
        data = bytearray(chance.choice(SEEDS))
        for _ in range(chance.choice((0, 1, 1, 2, 3))):
            mutate(data, chance)
        cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.choice((0, 1, 2))))
        edges = [0, *cuts, len(data)]
        pieces = tuple(bytes(data[a:b]) for a, b in pairwise(edges))
        yield Attack(pieces, chance.choice(ENDINGS))


def mutate(data: bytearray, chance: random.Random) -> None:
    """Change a few bytes, cut, double or cross them."""
    at, size = chance.randrange(len(data) + 1), chance.randrange(1, 40)
    match chance.randrange(6):
        case 0:
            data[at : at + 1] = bytes([chance.randrange(256)])
        case 1:
            del data[at : at + size]
        case 2:
            data[at:at] = data[at : at + size]
        case 3:
            data[at:at] = chance.choice(WORDS)
        case 4:
            data[at : at + size] = chance.choice(WORDS)
        case _:
            other = chance.choice(SEEDS)
            data[at:] = other[chance.randrange(len(other)) :]
    data.extend(b"" if data else b"\r\n")


async def carry_out(attack: Attack, url: str) -> list[int]:
    """The statuses that were heard; however the server takes it, the client does as planned."""
    heard = bytearray()
    stream = await connect_to(url)
    with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
        async with stream:
            for piece in attack.pieces:
                await stream.send_all(piece)
                with trio.move_on_after(LISTEN_S):
                    heard += await stream.receive_some(65_536)
            if attack.ending == "reset":
                leave_with_a_bang(stream)
            elif attack.ending == "half":
                await stream.send_eof()
            if attack.ending in ("half", "patient"):
                await listen(stream, heard)
    return [int(status) for status in STATUS.findall(heard)]


async def listen(stream: trio.SocketStream, heard: bytearray) -> None:
    """Take what comes until the server closes, which it has to do. Raises TooSlowError."""
    with trio.fail_after(PATIENCE_S):
        while data := await stream.receive_some(65_536):
            heard += data


def leave_with_a_bang(stream: trio.SocketStream) -> None:
    """Have the socket's closing send RST instead of FIN."""
    on_for_0_s = b"\x01\x00\x00\x00\x00\x00\x00\x00"
    stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, on_for_0_s)
