"""A server that may have next to nothing: descriptors, disk, time, places for one client."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import pytest
import trio

from tests.http.wire import asr_form, connect_to, post, read_all
from tests.real import left, process, sounds
from tests.real.rig import Rig, rigged, serving_fake

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

# The program, after its own limit has been lowered for good.
FEW = """
import resource, runpy, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
runpy.run_module("tests.real.rigged", run_name="__main__", alter_sys=True)
"""
SERVED_MAX = 42  # of 256: three each, 96 for the rest, and four for each of eight that run


async def ask(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/asr?output=txt", files=process.upload(sounds.JFK), timeout=60)


async def test_with_few_descriptors_fewer_are_let_in_and_those_are_served(
    environment: dict[str, str], tmp_path: Path, rig: Rig
) -> None:
    log = tmp_path / "log"
    program = ("-c", FEW, *rigged(rig, engine="fake")[2:])
    request = post("/asr?output=txt", asr_form(audio=sounds.JFK.read_bytes()), "Connection: close")
    with (
        log.open("wb") as stderr,
        process.serving(environment, stderr, program, MAX_QUEUE_SIZE="100") as server,
    ):
        async with AsyncExitStack() as stack:
            idle = [
                await stack.enter_async_context(await connect_to(server.url)) for _ in range(400)
            ]
            busy = [
                await stack.enter_async_context(await connect_to(server.url)) for _ in range(42)
            ]
            for stream in busy:
                await stream.send_all(request[:-1])
            async with process.client(server.url) as client:

                async def all_are_there() -> bool:
                    return f"asr_uploads {SERVED_MAX}.0" in (await client.get("/metrics")).text

                await process.until(all_are_there)
                refused = await ask(client)
                health = await client.get("/health")
            for stream in busy:
                await stream.send_all(request[-1:])
            heard = [await read_all(stream) for stream in busy]
            assert [await stream.receive_some() for stream in idle] == [b""] * 400
        async with process.client(server.url) as client:
            await left.nothing(server, client)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert health.json()["status"] == "healthy"
    assert [answer.split()[1] for answer in heard] == [b"200"] * SERVED_MAX
    said = log.read_text()
    assert f"{SERVED_MAX} connections at most instead of ASR_CONNECTIONS_MAX=1000" in said
    assert "Too many open files" not in said


async def test_a_full_disk_is_told_before_it_is_full(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    everything = str(10**9)
    with serving_fake(environment, log, rig, ASR_DISK_FREE_MIN_MB=everything) as server:
        async with process.client(server.url) as client:
            files = process.upload(sounds.JFK, field="file")
            answer = await client.post("/v1/audio/transcriptions", files=files)
            assert (await client.get("/health")).status_code == 200
            await left.nothing(server, client)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")
    assert answer.json()["error"]["code"] == "storage_full"


async def test_one_client_has_its_share_and_nobody_has_more_time_than_there_is(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    few = {"ASR_CLIENT_MAX": "2", "ASR_REQUEST_DEADLINE_S": "10"}
    rig.order("engine.advance", "hold")
    answers: list[httpx.Response] = []
    with serving_fake(environment, log, rig, **few) as server:
        async with process.client(server.url) as client:

            async def one() -> None:
                answers.append(await ask(client))

            async def both_are_in() -> bool:  # and then their uploads, which have a share, too
                if await process.in_flight(client) < 2:
                    return False
                return "asr_uploads" not in await left.gauges(client)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(one)
                nursery.start_soon(one)
                await process.until(both_are_in)
                third = await ask(client)
            rig.lift("engine.advance")
            await left.nothing(server, client)
            assert (await ask(client)).status_code == 200
    assert (third.status_code, "this client holds all the places" in third.text) == (503, True)
    assert 1 <= int(third.headers["retry-after"]) <= 60
    assert [answer.status_code for answer in answers] == [504, 504]
