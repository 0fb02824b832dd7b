"""A corrected transcript is written in any format, and a bad one is refused by its field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import trio

from asr.http.formatting import BODIES_MAX, BODY_BYTES_MAX, BODY_S_MAX
from asr.http.reference.examples import to_format
from tests.fakes import pass_time
from tests.http.wire import post

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol
    from trio.testing import MockClock

    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

PATH = "/v1/format"


def asked(**fields: Any) -> dict[str, Any]:
    """Two people greet each other, one of whom has a name by now."""
    wish = to_format()
    wish["transcript"]["segments"][0]["speaker"] = "Ada"
    return wish | fields


@pytest.mark.parametrize(
    ("fields", "content_type", "start"),
    [
        ({"format": "txt"}, "text/plain; charset=utf-8", "[Ada] Hello there.\n[SPEAKER_01] Gen"),
        ({"format": None}, "text/plain; charset=utf-8", "[Ada] Hello there.\n[SPEAKER_01] Gen"),
        ({"format": "txt", "speakers": False}, "text/plain; charset=utf-8", "Hello there.\nGen"),
        ({}, "text/plain; charset=utf-8", "1\n00:00:00,000 --> 00:00:01,500\n[Ada] Hello there."),
        ({"format": "vtt"}, "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.000 --> "),
        ({"format": "tsv"}, "text/plain; charset=utf-8", "start\tend\ttext\n0\t1500\tHello there."),
        ({"format": "json"}, "application/json", '{"text":"Hello there. General Kenobi.",'),
        ({"format": "verbose_json"}, "application/json", '{"task":"transcribe","language":"en'),
    ],
)
async def test_the_answer_has_the_wanted_format(
    client: TestClientProtocol,
    house: FakeHouse,
    fields: dict[str, Any],
    content_type: str,
    start: str,
) -> None:
    answer = await client.post(PATH, json=asked(**fields))
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == content_type
    assert (await answer.get_data(as_text=True)).startswith(start)
    assert house.asked == []


@pytest.mark.parametrize("value", [9, "9", " 9 "])
async def test_subtitles_are_laid_out(client: TestClientProtocol, value: object) -> None:
    answer = await client.post(PATH, json=asked(max_line_width=value, speakers="no"))
    text = await answer.get_data(as_text=True)
    assert "\nGeneral\n" in text
    assert "\nKenobi.\n" in text
    assert "Asr-Warnings" not in answer.headers


async def test_speakers_are_left_out_of_objects_too(client: TestClientProtocol) -> None:
    answer = await client.post(PATH, json=asked(format="verbose_json", speakers=False))
    assert "speaker" not in await answer.get_data(as_text=True)


@pytest.mark.parametrize(("format", "where"), [("txt", "header"), ("json", "body")])
async def test_what_changes_nothing_is_told(
    client: TestClientProtocol, format: str, where: str
) -> None:
    answer = await client.post(PATH, json=asked(format=format, max_line_width=42, best_of=5))
    told = (
        json.loads(answer.headers["Asr-Warnings"])
        if where == "header"
        else (await answer.get_json())["warnings"]
    )
    assert told == [
        "the parameter 'best_of' is not known here",
        "max_line_width only shows in srt and vtt",
    ]


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (b"", None, "The body must be a JSON object"),
        (b"[]", None, "The body must be a JSON object"),
        (b'{"transcript": NaN}', None, "The body must be a JSON object"),
        (b"[" * 100_000, None, "The body must be a JSON object"),
        (b"\xff", None, "The body must be a JSON object"),
        (b"{}", "transcript", "transcript: Input should be"),
        (b'{"transcript": {"segments": 1}}', "transcript.segments", "transcript.segments: "),
        (b'{"format": "pdf"}', "format", "format must be one of txt, srt, tsv, vtt, json, "),
        (b'{"format": ["srt"]}', "format", "format must be one value"),
        (b'{"max_line_width": 0}', "max_line_width", "max_line_width must be a whole number"),
        (b'{"speakers": "perhaps"}', "speakers", "speakers must be one of true, "),
    ],
)
async def test_bad_input_is_refused_by_its_field(
    client: TestClientProtocol, body: bytes, param: str | None, message: str
) -> None:
    answer = await client.post(PATH, data=body)
    error = (await answer.get_json())["error"]
    assert (answer.status_code, error["param"]) == (400, param)
    assert error["message"].startswith(message)


@pytest.mark.parametrize("linger_s", [1])
@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_that_is_too_large_is_refused_as_soon_as_that_is_known(
    server: Server, announced: bool
) -> None:
    if announced:
        length = b"Content-Length: %d\r\nConnection: close" % (BODY_BYTES_MAX + 1)
        said = post(PATH, b"").replace(b"Content-Length: 0", length)
    else:
        chunk = b"%x\r\n" % 65536 + bytes(65536) + b"\r\n"
        chunks = chunk * (BODY_BYTES_MAX // 65536 + 1)
        said = post(PATH, chunks, "Transfer-Encoding: chunked", "Connection: close")
    heard = await server.say(said)
    assert heard.startswith(b"HTTP/1.1 413 ")
    assert b"body_too_large" in heard


async def test_a_body_that_comes_drop_by_drop_is_waited_for_no_longer_than_a_minute(
    client: TestClientProtocol, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    began_s = trio.current_time()
    async with client.request(PATH, method="POST") as connection:

        async def drip() -> None:
            while True:
                await connection.send(b" ")
                await pass_time(15)

        nursery.start_soon(drip)
        said = await connection.receive()
        assert trio.current_time() - began_s == pytest.approx(BODY_S_MAX, abs=1)
        assert b"Request Timeout" in said
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("linger_s", [0.3])
async def test_so_many_bodies_come_at_once_and_no_more(
    client: TestClientProtocol, autojump_clock: MockClock
) -> None:
    async def begin(*, task_status: trio.TaskStatus[None]) -> None:
        async with client.request(PATH, method="POST") as connection:
            await connection.send(b"{")
            task_status.started()
            await connection.receive()  # the client paused for too long: 408

    async with trio.open_nursery() as others:
        for _ in range(BODIES_MAX):
            await others.start(begin)
        began_s = trio.current_time()
        assert (await client.post(PATH, data=b"[]")).status_code == 400
        assert trio.current_time() - began_s == pytest.approx(20, abs=1)
