"""Every bound of docs/LIMITS.md that a client can reach, against the real process."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.fakes import pass_time
from tests.http.wire import asr_form, connect_to, post, read_all
from tests.real import left, process, sounds
from tests.real.rig import Rig, serving_fake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

RUNNING, WAITING = 2, 4
SMALL = {
    "GPU_CONCURRENCY": str(RUNNING),
    "MAX_QUEUE_SIZE": str(WAITING),
    "ASR_AUDIO_MAX_S": "20",
    "MAX_FILE_SIZE_MB": "2",
    "ASR_UPLOADS_MAX_MB": "100",
}
SHORT = {"ASR_UPLOAD_MAX_S": "3", "ASR_BODY_CHUNK_TIMEOUT_S": "2"}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, rig: Rig) -> Iterator[process.Server]:
    with serving_fake(environment, log, rig, **SMALL, **SHORT) as server:
        yield server


@pytest.fixture(scope="module")
def patient(environment: dict[str, str], log: Path, rig: Rig) -> Iterator[process.Server]:
    """A server that gives up no upload while a crowd of them comes in."""
    with serving_fake(environment, log, rig, **SMALL) as server:
        yield server


async def ask(client: httpx.AsyncClient, file: Path = sounds.JFK) -> httpx.Response:
    return await client.post("/asr?output=txt", files=process.upload(file), timeout=60)


async def test_of_200_at_once_as_many_as_there_are_places_are_accepted(
    server: process.Server, rig: Rig
) -> None:
    rig.order("engine.advance", "hold")
    accepted: list[httpx.Response] = []
    refused: list[httpx.Response] = []
    over = trio.Event()
    pool = httpx.Limits(max_connections=None)
    async with (
        process.client(server.url, limits=pool) as client,
        trio.open_nursery() as nursery,
    ):

        async def one() -> None:
            answer = await ask(client)
            (accepted if answer.is_success else refused).append(answer)
            if len(refused) == 200 - RUNNING - WAITING:
                over.set()

        for _ in range(200):
            nursery.start_soon(one)
        try:
            with trio.fail_after(60):
                await over.wait()
            assert accepted == []
            queue = (await client.get("/queue-metrics")).json()["queue"]
            assert (queue["requests_in_flight"], queue["requests_queued"]) == (RUNNING, WAITING)
        finally:
            rig.lift("engine.advance")
    assert [answer.text for answer in accepted] == ["word\n"] * (RUNNING + WAITING)
    assert {answer.status_code for answer in refused} == {503}
    assert all(1 <= int(answer.headers["retry-after"]) <= 60 for answer in refused)
    async with process.client(server.url) as client:
        await left.nothing(server, client)


async def test_a_longer_audio_than_is_accepted_is_told_so(
    server: process.Server, tmp_path: Path
) -> None:
    long = sounds.as_file(sounds.AUSTEN, tmp_path / "long.flac")
    async with process.client(server.url) as client:
        answer = await ask(client, long)
    assert (answer.status_code, "longer than the 20 s" in answer.text) == (413, True)


@pytest.mark.parametrize("announced", [True, False])
async def test_a_larger_file_than_is_accepted_is_told_so(
    server: process.Server, announced: bool
) -> None:
    body = asr_form(audio=bytes(4_500_000))
    headers = () if announced else ("Transfer-Encoding: chunked",)
    data = body if announced else b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    async with await connect_to(server.url) as stream:
        await stream.send_all(post("/asr", data, "Connection: close", *headers))
        heard = await read_all(stream)
    assert b" 413 " in heard.splitlines()[0]
    assert b"Maximum content size limit is 2,000,000 bytes" in heard


@pytest.mark.parametrize("drips", [False, True])
async def test_a_slow_upload_is_given_up(server: process.Server, drips: bool) -> None:
    async with await connect_to(server.url) as stream, trio.open_nursery() as nursery:
        await stream.send_all(post("/asr", asr_form())[:300])

        async def drip() -> None:
            while True:
                await pass_time(0.5)
                await stream.send_all(b"a")

        if drips:  # never a pause, and never the end
            nursery.start_soon(drip)
        with trio.fail_after(20):
            heard = await stream.receive_some()
        nursery.cancel_scope.cancel()
    assert heard.startswith(b"HTTP/1.1 408")


async def test_more_uploads_than_there_may_be_are_told_to_come_back(
    patient: process.Server,
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(128):
            stream = await stack.enter_async_context(await connect_to(patient.url))
            await stream.send_all(post("/asr", asr_form())[:300])
        async with process.client(patient.url) as client:

            async def all_are_there() -> bool:
                return "\nasr_uploads 128.0\n" in (await client.get("/metrics")).text

            await process.until(all_are_there)
            answer = await ask(client)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert "Too many uploads" in answer.text


async def test_more_bytes_than_are_set_aside_are_told_to_come_back(
    patient: process.Server,
) -> None:
    async with AsyncExitStack() as stack:
        large = post("/asr", asr_form(audio=bytes(1_900_000)))
        for _ in range(52):  # what they have announced counts before it comes
            stream = await stack.enter_async_context(await connect_to(patient.url))
            await stream.send_all(large[:300])
        async with process.client(patient.url) as client:

            async def all_are_there() -> bool:
                return "\nasr_uploads 52.0\n" in (await client.get("/metrics")).text

            await process.until(all_are_there)
        stream = await stack.enter_async_context(await connect_to(patient.url))
        await stream.send_all(large)
        refused = bytes(await stream.receive_some())
    assert refused.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 5" in refused.lower()


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({f"field{number}": "x" for number in range(70)}, "more than 64 parts"),
        ({"prompt": "x" * 70_000}, "more than 65536 bytes"),
    ],
)
async def test_a_form_that_is_too_rich_is_told_so(
    server: process.Server, fields: dict[str, str], said: str
) -> None:
    async with process.client(server.url) as client:
        answer = await client.post("/asr", data=fields, files=process.upload(sounds.JFK))
    assert (answer.status_code, said in answer.text) == (400, True)
