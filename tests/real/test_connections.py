"""Clients that do everything wrong on a socket, against the real process."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio

from bench.connections import GROWS_MB, SETTINGS, campaign
from tests.attack.connections import (
    H2C,
    HEALTH,
    HELLO_TLS,
    KILLERS,
    PREFACE,
    STATUS,
    UPGRADE,
    Attack,
    carry_out,
)
from tests.fakes import pass_time
from tests.http.wire import FORM_TYPE, asr_form, connect_to, post, read_all
from tests.real import process, sounds
from tests.real.rig import Rig, serving_fake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

GET = b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
FORM = f"POST /asr HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM_TYPE}\r\n".encode()
CHUNKS = FORM + b"Transfer-Encoding: chunked\r\n"

PATTERNS = {
    "a header of 100 KB": (GET + b"A: " + b"a" * 100_000 + b"\r\n\r\n", [431]),
    "300 headers": (GET + b"".join(b"A%d: b\r\n" % i for i in range(300)) + b"\r\n", [200]),
    "a line of 100 KB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", [431]),
    "a chunk without a size": (CHUNKS + b"\r\nzz\r\n", [400]),
    "a chunk of 2 to the 96": (CHUNKS + b"\r\nffffffffffffffffffffffff\r\nabc", [400]),
    "two ends of a body": (CHUNKS + b"Content-Length: 3\r\n\r\n0\r\n\r\n" + HEALTH, [400]),
    "two lengths": (FORM + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", [400]),
    "99 GiB": (FORM + b"Content-Length: %d\r\n\r\nabcd" % (99 << 30), [413]),
    "a negative length": (FORM + b"Content-Length: -1\r\n\r\nabcd", [400]),
    "a coding that nobody speaks": (FORM + b"Transfer-Encoding: gzip, chunked\r\n\r\n", [501]),
    "a handshake of WebSocket": (UPGRADE, [404]),
    "http/2 by upgrade": (H2C.replace(b"Upgrade, ", b"close, Upgrade, "), [200]),
    "http/2 by prior knowledge": (PREFACE, [404, 400]),
    "TLS": (HELLO_TLS + b"\r\n\r\n", [400]),
    "NUL in a line": (b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n", [400]),
    "NUL in a header": (GET + b"A: \x00\r\n\r\n", [400]),
    "NUL in a path, escaped": (GET.replace(b"/health", b"/a%00b") + b"\r\n", [404]),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", [400]),
    "a host that is no name": (GET.replace(b"Host: x", b"Host: " + b"a" * 100) + b"\r\n", [400]),
    "three requests at once": (HEALTH + post("/asr", asr_form()) + GET + b"\r\n", [200, 400, 200]),
    "a body that pauses": (FORM + b"Content-Length: 300\r\n\r\n--the-bound", [408]),
    "a body that has to be asked for": (
        FORM + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % (99 << 30),
        [100, 413],
    ),
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, rig: Rig) -> Iterator[process.Server]:
    with serving_fake(environment, log, rig, **SETTINGS) as server:
        yield server


@pytest.mark.parametrize("pattern", PATTERNS)
async def test_it_hears_what_it_deserves_and_no_more(server: process.Server, pattern: str) -> None:
    data, statuses = PATTERNS[pattern]
    assert await carry_out(Attack((data,), "patient"), server.url) == statuses


async def test_a_head_that_never_ends_is_not_read_to_its_end(server: process.Server) -> None:
    attack = Attack((GET + b"A: b\r\n" * 2_000_000,), "patient")
    # The answer may be lost: who is still sending when the other side closes may hear just that.
    assert await carry_out(attack, server.url) in ([431], [])


@pytest.mark.parametrize("pattern", KILLERS)
async def test_the_process_outlives(server: process.Server, pattern: str) -> None:
    async with trio.open_nursery() as attackers:
        for _ in range(50):
            attackers.start_soon(carry_out, Attack(KILLERS[pattern], "close"), server.url)
    async with process.client(server.url) as client:
        assert (await client.get("/health")).json()["status"] == "healthy"


async def test_a_head_that_comes_byte_by_byte_is_cut(server: process.Server) -> None:
    began_s = trio.current_time()
    async with await connect_to(server.url) as stream:

        async def drip() -> None:
            with suppress(trio.BrokenResourceError):
                while True:
                    await stream.send_all(b"a")
                    await pass_time(0.1)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drip)
            with trio.fail_after(20):
                assert await read_all(stream) == b""
            nursery.cancel_scope.cancel()
    assert trio.current_time() - began_s < 10 * float(SETTINGS["ASR_KEEP_ALIVE_S"])


@pytest.mark.parametrize("leave", ["close", "half"])
async def test_who_leaves_behind_pipelined_requests_ends_the_one_at_work(
    server: process.Server, rig: Rig, leave: str
) -> None:
    request = post("/asr?output=txt", asr_form(audio=sounds.JFK.read_bytes()), "Connection: close")
    rig.order("engine.advance", "hold")
    async with process.client(server.url) as client:
        async with await connect_to(server.url) as stream:
            await stream.send_all(request.replace(b"Connection: close", b"A: b") + HEALTH * 3)
            await rig.held("engine.advance")
            assert await process.in_flight(client) == 1
            if leave == "half":
                await stream.send_eof()
                assert STATUS.findall(await read_all(stream)) == []

        async def nobody() -> bool:
            return not await process.in_flight(client)

        try:
            await process.until(nobody)
        finally:
            rig.lift("engine.advance")
    assert await carry_out(Attack((request,), "patient"), server.url) == [200]


@pytest.mark.skipif(sys.platform != "linux", reason="what a process holds is read from /proc")
async def test_2000_broken_connections_leave_nothing_behind(server: process.Server) -> None:
    account = await campaign(server, count=2000, seed=20261122)
    before, after = account.resident_mb
    assert account.faults() == {}
    assert account.statuses[200] > 100
    assert after < before + GROWS_MB
