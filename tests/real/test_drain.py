"""The end, whatever requests are at: who was let in finishes or hears why not, all in time."""

from __future__ import annotations

import json
import signal
import socket
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
import pytest
import trio

from tests.http.wire import asr_form, connect_to, post, read_all
from tests.real import left, process, sounds
from tests.real.rig import serving_fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.real.rig import Rig

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

SPEECH = "/v1/audio/transcriptions"
SHUTTING_DOWN = "The server is shutting down; try again later"


class Crowd:
    """One client at each stage of a request, and what each of them hears."""

    def __init__(self, server: process.Server, rig: Rig, nursery: trio.Nursery) -> None:
        self.heard: dict[str, httpx.Response] = {}
        self.exit_code: int | None = None
        self._server = server
        self._rig = rig
        self._nursery = nursery
        self._sends_on = trio.Event()

    async def gather(self, client: httpx.AsyncClient) -> None:
        """Return when all of them are where they should be, and stay there."""
        self._rig.order("diarizer.advance", "hold")
        self._begin("diarizing", "/asr?output=json&diarize=true", "audio_file")
        await self._rig.held("diarizer.advance")
        self._rig.order("engine.advance", "hold")
        self._begin("decoding", "/asr?output=txt", "audio_file")
        await self._rig.held("engine.advance")
        self._begin("streaming", SPEECH, "file", {"stream": "true"})
        await running(client, 3)
        self._begin("queued", SPEECH, "file", {"response_format": "text"})
        await running(client, 3, waiting=1)
        self._nursery.start_soon(self._upload)

        async def uploads() -> bool:
            return (await left.gauges(client)).get("asr_uploads") == 2  # and of who is queued

        await process.until(uploads)

    def go_on(self) -> None:
        """Nothing holds them any more."""
        self._sends_on.set()
        self._rig.lift("diarizer.advance")
        self._rig.lift("engine.advance")

    def _begin(
        self, name: str, path: str, field: str, fields: dict[str, str] | None = None
    ) -> None:
        async def ask() -> None:
            files = process.upload(sounds.JFK, field=field)
            async with httpx.AsyncClient(base_url=self._server.url, timeout=60) as client:
                self.heard[name] = await client.post(path, files=files, data=fields)

        self._nursery.start_soon(ask)

    async def _upload(self) -> None:
        """As a client that reads the answer whenever it comes."""
        request = post("/asr?output=txt", asr_form(audio=sounds.JFK.read_bytes()))
        async with await connect_to(self._server.url) as stream, trio.open_nursery() as nursery:

            async def send() -> None:
                await stream.send_all(request[:100_000])
                await self._sends_on.wait()
                await stream.send_all(request[100_000:])

            nursery.start_soon(send)
            self.heard["uploading"] = answer(await read_all(stream))
            nursery.cancel_scope.cancel()


def answer(heard: bytes) -> httpx.Response:
    """What came over the wire, as httpx has it."""
    head, _, body = heard.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    headers = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    return httpx.Response(int(status.split()[1]), headers=headers, content=body)


async def running(client: httpx.AsyncClient, count: int, *, waiting: int = 0) -> None:
    """Return when so many requests are being worked on, and so many wait."""

    async def so_many() -> bool:
        queue = (await client.get("/queue-metrics")).json()["queue"]
        return (queue["requests_in_flight"], queue["requests_queued"]) == (count, waiting)

    await process.until(so_many)


@asynccontextmanager
async def crowded(
    environment: dict[str, str], log: Path, rig: Rig, **settings: str
) -> AsyncIterator[tuple[process.Server, Crowd, httpx.AsyncClient]]:
    with serving_fake(environment, log, rig, GPU_CONCURRENCY="3", **settings) as server:
        async with process.client(server.url) as client, trio.open_nursery() as nursery:
            crowd = Crowd(server, rig, nursery)
            await crowd.gather(client)
            yield server, crowd, client
        crowd.exit_code = await exits(server)


async def exits(server: process.Server) -> int:
    return await trio.to_thread.run_sync(server.exit_code)


async def test_at_sigterm_everybody_inside_is_served_and_nobody_else(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    async with crowded(environment, log, rig) as (server, crowd, client):
        server.signal(signal.SIGTERM)
        await closing(client)
        late = await client.post("/asr", files=process.upload(sounds.JFK))
        assert (late.status_code, late.json()) == (503, {"detail": SHUTTING_DOWN})
        assert (late.headers["Retry-After"], late.headers["Connection"]) == ("10", "close")
        assert (await client.get("/health")).status_code == 200
        assert (await client.get("/metrics")).status_code == 200
        crowd.go_on()
    assert crowd.exit_code == 0
    heard = crowd.heard
    assert {name: answer.status_code for name, answer in heard.items()} == dict.fromkeys(
        ("uploading", "queued", "decoding", "diarizing", "streaming"), 200
    )
    assert [heard[name].text for name in ("uploading", "queued", "decoding")] == ["word\n"] * 3
    assert heard["diarizing"].json()["text"] == "word"
    assert heard["streaming"].text.endswith("data: [DONE]\n\n")
    assert (server.scratch(), left.children(server)) == ([], [])


async def test_past_the_deadline_everybody_hears_so(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    async with crowded(environment, log, rig, ASR_DRAIN_S="1") as (server, crowd, _):
        server.signal(signal.SIGINT)
        await all_of(crowd, 5)
        crowd.go_on()
    assert crowd.exit_code == 0
    streamed = crowd.heard.pop("streaming")
    assert streamed.status_code == 200
    name, data = streamed.text.rstrip().split("\n")[-2:]
    error = json.loads(data.removeprefix("data: "))["error"]
    assert (name, error["code"]) == ("event: error", "shutting_down")
    for answer in crowd.heard.values():
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    queued = crowd.heard.pop("queued").json()["error"]
    assert (queued["message"], queued["code"]) == (SHUTTING_DOWN, "shutting_down")
    assert [answer.json() for answer in crowd.heard.values()] == [{"detail": SHUTTING_DOWN}] * 3
    assert (server.scratch(), left.children(server)) == ([], [])


async def all_of(crowd: Crowd, count: int) -> None:
    """Return when so many clients have their answer."""

    async def heard() -> bool:
        return len(crowd.heard) == count

    await process.until(heard)


async def test_who_stalls_does_not_hold_up_the_end(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    with serving_fake(environment, log, rig) as server:
        async with (
            await stalled_reader(server) as reader,
            await connect_to(server.url) as idle,
            await connect_to(server.url) as half_sent,
            await connect_to(server.url) as paused,
            process.client(server.url) as client,
        ):
            await idle.send_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            await hear_out(idle)
            await half_sent.send_all(b"POST /asr HTTP/1.1\r\nHo")
            await paused.send_all(post("/asr", asr_form())[:-100])

            async def uploading() -> bool:
                return (await left.gauges(client)).get("asr_uploads") == 1

            await process.until(uploading)
            server.signal(signal.SIGTERM)
            began_s = time.monotonic()
            assert b"HTTP/1.1 503 " in await read_all(paused)
            assert await exits(server) == 0
            took_s = time.monotonic() - began_s
            assert took_s < 10, f"{took_s:.1f} s"  # 3 s for clients; the drain has 30
            assert await read_all(idle) == await read_all(half_sent) == b""
            assert len(await read_all(reader)) < 1_000_000  # of 1.4 MB
    assert (server.scratch(), left.children(server)) == ([], [])


async def hear_out(stream: trio.SocketStream) -> None:
    """Read one answer to its end, which is that of an object."""
    heard = b""
    while not heard.endswith(b"}\n"):
        heard += await stream.receive_some()


async def closing(client: httpx.AsyncClient) -> None:
    """Return when the server takes no new requests."""

    async def refused() -> bool:
        return (await client.get("/v1/models")).status_code == 503

    await process.until(refused)


async def stalled_reader(server: process.Server) -> trio.SocketStream:
    """A client that asks for more than the sockets hold, and reads nothing of it."""
    address = urlsplit(server.url)
    client = trio.socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await client.connect((address.hostname, address.port))
    stream = trio.SocketStream(client)
    await stream.send_all(b"GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n")
    return stream
