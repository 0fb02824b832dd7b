"""A client that leaves, whatever its request is at, leaves nothing behind, and holds nobody up."""

from __future__ import annotations

import shlex
import socket
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import httpx
import pytest
import trio

from asr.actors.ffmpeg import find_ffmpeg
from tests.http.wire import asr_form, connect_to, form, post
from tests.real import left, process, sounds
from tests.real.rig import Rig, serving_fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

HEALTH = b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n"
SPEECH = "/v1/audio/transcriptions"
AUDIO = sounds.JFK.read_bytes()

# In front of ffmpeg on PATH: it does its work, but not while there is a file.
FFMPEG = """#!/bin/sh
if [ -e {order} ]; then touch {order}.held; fi
while [ -e {order} ]; do sleep 0.02; done
exec {ffmpeg} "$@"
"""


@dataclass(frozen=True)
class Stage:
    """What a request asks for, and where it is held meanwhile."""

    call: str
    request: bytes

    @property
    def running(self) -> int:
        """The places that it has then: languages are told without one."""
        return 0 if b"/detect-language" in self.request else 1


STAGES = {
    "decoding by ffmpeg": Stage("ffmpeg", post("/asr?output=txt", asr_form(audio=AUDIO))),
    "finding speech": Stage("finder.advance", post("/asr?output=txt", asr_form(audio=AUDIO))),
    "its language": Stage("engine.detect", post("/asr?output=txt", asr_form(audio=AUDIO))),
    "joining the batch": Stage("engine.admit", post("/asr?output=txt", asr_form(audio=AUDIO))),
    "decoding": Stage("engine.advance", post("/asr?output=txt", asr_form(audio=AUDIO))),
    "decoding for OpenAI": Stage("engine.advance", post(SPEECH, form(audio=AUDIO))),
    "aligning": Stage(
        "aligner.advance", post("/asr?output=json&word_timestamps=true", asr_form(audio=AUDIO))
    ),
    "diarizing": Stage(
        "diarizer.advance", post("/asr?output=json&diarize=true", asr_form(audio=AUDIO))
    ),
    "streaming": Stage("engine.advance", post(SPEECH, form({"stream": "true"}, audio=AUDIO))),
    "detecting": Stage("engine.detect", post("/detect-language", asr_form(audio=AUDIO))),
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def server(
    environment: dict[str, str],
    log: Path,
    rig: Rig,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[process.Server]:
    """One that works on one request at a time."""
    bin = tmp_path_factory.mktemp("bin")
    order = shlex.quote(str(rig.folder / "ffmpeg"))
    script = FFMPEG.format(order=order, ffmpeg=shlex.quote(find_ffmpeg()))
    (bin / "ffmpeg").write_text(script)
    (bin / "ffmpeg").chmod(0o755)
    settings = {"PATH": f"{bin}:{environment['PATH']}", "GPU_CONCURRENCY": "1"}
    with serving_fake(environment, log, rig, **settings) as server:
        yield server


@pytest.fixture
async def client(server: process.Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        yield client


@asynccontextmanager
async def calling(server: process.Server, *, again: bool) -> AsyncIterator[trio.SocketStream]:
    """A connection, ``again`` with a request behind it; it is closed at the end of the context."""
    async with await connect_to(server.url) as stream:
        if again:
            await stream.send_all(HEALTH)
            while not (await stream.receive_some()).endswith(b"}\n"):
                pass
        yield stream


async def served(client: httpx.AsyncClient) -> None:
    """Somebody else is."""
    answer = await client.post("/asr?output=txt", files=process.upload(sounds.JFK))
    assert (answer.status_code, answer.text) == (200, "word\n")


@pytest.mark.parametrize("again", [False, True], ids=["first request", "second request"])
@pytest.mark.parametrize("stage", STAGES.values(), ids=STAGES)
async def test_who_leaves_gives_all_back_but_the_step_that_is_being_taken(
    server: process.Server, client: httpx.AsyncClient, rig: Rig, stage: Stage, again: bool
) -> None:
    rig.order(stage.call, "hold")
    async with calling(server, again=again) as stream:
        await stream.send_all(stage.request)
        await rig.held(stage.call)
        assert await process.in_flight(client) == stage.running
    await left.nothing(server, client, but=("asr_rows", "asr_windows_waiting"))
    rig.lift(stage.call)
    await served(client)
    await left.nothing(server, client)


@pytest.mark.parametrize("how", ["close", "reset", "half-close"])
@pytest.mark.parametrize("again", [False, True], ids=["first request", "second request"])
async def test_who_leaves_during_an_upload_leaves_nothing(
    server: process.Server,
    client: httpx.AsyncClient,
    how: Literal["close", "reset", "half-close"],
    again: bool,
) -> None:
    async def uploads() -> bool:
        return "asr_uploads" in await left.gauges(client)

    async with calling(server, again=again) as stream:
        await stream.send_all(post("/asr", asr_form(audio=AUDIO))[:-1000])
        await process.until(uploads)
        if how == "reset":
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        if how == "half-close":
            await stream.send_eof()
            await left.nothing(server, client)
    await left.nothing(server, client)
    await served(client)


async def test_who_leaves_the_queue_leaves_his_place(
    server: process.Server, client: httpx.AsyncClient, rig: Rig, nursery: trio.Nursery
) -> None:
    rig.order("engine.advance", "hold")
    async with trio.open_nursery() as asking:
        asking.start_soon(served, client)
        await rig.held("engine.advance")

        async def waiting(count: int) -> None:
            async def so_many() -> bool:
                return (await left.gauges(client)).get("asr_queue_depth", 0) == count

            await process.until(so_many)

        async with calling(server, again=True) as stream:
            await stream.send_all(post("/asr", asr_form(audio=AUDIO)))
            await waiting(1)
            assert len(server.scratch()) == 2  # his upload, and the samples of who is at work
        await waiting(0)
        assert len(server.scratch()) == 1
        rig.lift("engine.advance")
    await left.nothing(server, client)
