"""Files go to disk as they arrive, from a form or a url, and are refused by name."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
import trio

from asr.http.uploads import declared_bytes
from tests.fakes import pass_time
from tests.http.wire import (
    AUDIO,
    END,
    FORM_TYPE,
    asr_form,
    form,
    part,
    post,
    read_all,
    until,
)

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

HEADERS = {"Content-Type": FORM_TYPE}


@pytest.mark.parametrize("body", [END, part('form-data; name="task"') + END])
async def test_a_form_without_its_file_is_its_own_kind_of_error(
    client: TestClientProtocol, body: bytes
) -> None:
    answers = [
        await client.post(path, data=body, headers=HEADERS)
        for path in ("/asr", "/v1/audio/transcriptions")
    ]
    assert [answer.status_code for answer in answers] == [422, 400]
    error = (await answers[1].get_json())["error"]
    assert (error["param"], error["code"]) == ("file", "missing_file")


URL = "https://example.org/talk.mp3"


@pytest.mark.parametrize(
    ("query", "body", "headers"),
    [
        (f"url={URL}", b"", {}),
        ("", f"url={URL}".encode(), {"Content-Type": "application/x-www-form-urlencoded"}),
        ("", part('form-data; name="url"', URL.encode()) + END, HEADERS),
    ],
)
async def test_a_url_takes_the_place_of_a_file(
    client: TestClientProtocol, house: FakeHouse, query: str, body: bytes, headers: dict[str, str]
) -> None:
    house.fetcher.web[URL] = AUDIO
    path = f"/asr?output=txt&{query}"
    answer = await client.post(path, data=body, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"].endswith('"talk.mp3.txt"')
    assert [asked.audio for asked in house.asked] == [AUDIO]


async def test_a_url_is_refused_by_its_name(client: TestClientProtocol) -> None:
    alone = await client.post(f"/v1/audio/transcriptions?url={URL}", data=b"")
    beside = await client.post(f"/asr?url={URL}", data=asr_form(), headers=HEADERS)
    assert (alone.status_code, (await alone.get_json())["error"]["param"]) == (400, "url")
    assert await beside.get_json() == {"detail": "Send a file or a url, not both"}


@pytest.mark.parametrize("line", [b"task=%ff", b"\xff=1", b"a=1&" * 65])
async def test_a_line_of_fields_is_refused_if_it_is_no_decent_one(
    client: TestClientProtocol, line: bytes
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = await client.post("/v1/audio/transcriptions", data=line, headers=headers)
    assert (answer.status_code, (await answer.get_json())["error"]["param"]) == (400, None)


@pytest.mark.parametrize(
    ("content_length", "declared"),
    [(None, None), (10, 10), (1_000_100, 1_000_000), (30_000_000, 30_000_000)],
)
def test_the_form_around_a_file_does_not_count(
    content_length: int | None, declared: int | None
) -> None:
    assert declared_bytes(content_length, 1_000_000) == declared


async def test_the_house_gets_the_very_bytes_and_the_spool_is_emptied(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    answer = await client.post("/v1/audio/transcriptions", data=form(), headers=HEADERS)
    assert answer.status_code == 200
    assert [asked.audio for asked in house.asked] == [AUDIO]
    assert list(house.receiver.folder.iterdir()) == []


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "multipart/form-data"}])
async def test_a_body_that_is_no_form_has_no_file(
    client: TestClientProtocol, headers: dict[str, str]
) -> None:
    answer = await client.post("/asr", data=AUDIO, headers=headers)
    assert answer.status_code == 422


async def test_an_empty_file_is_not_audio(client: TestClientProtocol) -> None:
    answer = await client.post("/asr", data=asr_form(audio=b""), headers=HEADERS)
    assert answer.status_code == 400
    assert await answer.get_json() == {"detail": "failed to decode audio: the file is empty"}


@pytest.mark.parametrize("pause_s", [19, 21])
async def test_an_upload_may_pause_for_20_s_but_not_longer(
    client: TestClientProtocol, autojump_clock: trio.testing.MockClock, pause_s: float
) -> None:
    body = asr_form()
    async with client.request("/asr", method="POST", headers=HEADERS) as connection:
        await connection.send(body[:300])
        await pass_time(pause_s)
        await connection.send(body[300:])
        await connection.send_complete()
    answer = await connection.as_response()
    assert answer.status_code == (200 if pause_s < 20 else 408)


async def test_an_upload_that_drips_is_ended(
    client: TestClientProtocol, autojump_clock: trio.testing.MockClock
) -> None:
    async with client.request("/asr", method="POST", headers=HEADERS) as connection:
        for byte in asr_form()[:125]:  # 15 s each: the 1800 s are over before the last ones
            await connection.send(bytes([byte]))
            await pass_time(15)
        await connection.send_complete()
    answer = await connection.as_response()
    assert answer.status_code == 408


@pytest.mark.parametrize("linger_s", [0.3])
async def test_an_announced_upload_is_refused_before_its_body(server: Server) -> None:
    head = post("/asr", b"", "X: y").replace(b"Content-Length: 0", b"Content-Length: 99000000000")
    answer = await server.say(head)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"File too large" in answer


@pytest.mark.parametrize("linger_s", [1])
async def test_a_chunked_upload_is_refused_as_soon_as_it_is_too_large(server: Server) -> None:
    start = asr_form()[:200]
    answer = await server.say(
        post("/asr", b"", "Transfer-Encoding: chunked", "Connection: close")
        + b"c8\r\n"
        + start
        + b"\r\n"
        + (b"8000\r\n" + bytes(0x8000) + b"\r\n") * 70  # 2.3 MB where 1 MB is allowed, no end
    )
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"File too large" in answer


async def test_a_client_that_leaves_in_its_upload_leaves_nothing(
    server: Server, house: FakeHouse
) -> None:
    async with await server.connect() as stream:
        await stream.send_all(post("/asr", asr_form())[:400])
        await until(lambda: len(list(house.receiver.folder.iterdir())) == 1)
    await until(lambda: not list(house.receiver.folder.iterdir()))
    assert house.asked == []


async def test_a_client_that_leaves_while_it_waits_is_noticed(
    server: Server, house: FakeHouse
) -> None:
    house.hold()
    async with await server.connect() as stream:
        await stream.send_all(post("/asr", asr_form()))
        await until(lambda: house.running == 1)
    await until(lambda: house.running == 0)
    await until(lambda: not list(house.receiver.folder.iterdir()))


@pytest.fixture
def roomy(house: FakeHouse) -> FakeHouse:
    house.receiver.max_bytes = 500_000_000
    return house


@pytest.mark.parametrize("keep_alive_s", [0.3])
async def test_a_refusal_is_heard_while_the_upload_is_stuck(
    roomy: FakeHouse, server: Server
) -> None:
    roomy.receiver.max_bytes = 1000
    roomy.receiver.hold()
    body = post("/asr", asr_form(audio=bytes(60_000_000)), "Transfer-Encoding: chunked")
    async with await server.connect() as stream, trio.open_nursery() as sending:

        async def send() -> None:
            with suppress(trio.BrokenResourceError):
                await stream.send_all(chunked_body)

        head, _, rest = body.partition(b"\r\n\r\n")
        chunked_body = head + b"\r\n\r\n%x\r\n" % len(rest) + rest + b"\r\n0\r\n\r\n"
        sending.start_soon(send)
        await pass_time(0.3)
        roomy.receiver.release()
        with trio.fail_after(10):
            assert (await read_all(stream)).startswith(b"HTTP/1.1 413")


async def test_the_sender_is_held_back_while_the_disk_is_busy(
    roomy: FakeHouse, server: Server, house: FakeHouse
) -> None:
    house.receiver.hold()
    body = post("/asr", asr_form(audio=bytes(60_000_000)))
    sent = 0
    async with await server.connect() as stream:
        with trio.move_on_after(1):
            for start in range(0, len(body), 65_536):
                await stream.send_all(body[start : start + 65_536])
                sent += 65_536
    house.receiver.release()
    assert sent < 20_000_000  # socket buffers on both sides, and a dozen chunks
