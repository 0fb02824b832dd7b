"""The edge and the drain: every request is counted once, and accepted ones may finish."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from pydantic import SecretStr

from asr.http.door import Door
from asr.http.edge import Edge, request_id
from asr.http.server import serve
from tests.http.fakes import as_house
from tests.http.wire import FORM_TYPE, asr_form, counted, form, post, until

if TYPE_CHECKING:
    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

HEADERS = {"Content-Type": FORM_TYPE}
UPGRADE = (
    "Upgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
)


async def test_every_request_is_counted_once_also_when_its_client_leaves(
    server: Server, house: FakeHouse
) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        await client.post("/asr", content=asr_form(), headers=HEADERS)
        await client.get("/v1/models/base")
        await client.get("/a/scan/for/holes")
    house.hold()
    async with await server.connect() as stream:
        await stream.send_all(post("/asr", asr_form()))
        await until(lambda: house.running == 1)
    await until(lambda: len(counted(house)) == 4)
    assert counted(house) == [
        'whisperx_requests_total{endpoint="/asr",status="200"} 1.0',
        'whisperx_requests_total{endpoint="/v1/models/<path:name>",status="200"} 1.0',
        'whisperx_requests_total{endpoint="<none>",status="404"} 1.0',
        'whisperx_requests_total{endpoint="/asr",status="499"} 1.0',
    ]


async def test_a_request_leaves_one_line_in_the_log_with_its_id(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="asr.http.edge"):
        async with httpx.AsyncClient(base_url=server.url) as client:
            path = "/v1/models/a%0Ab?secret=1"
            answer = await client.get(path, headers={"X-Request-Id": "my-id.1"})
        await until(lambda: len(caplog.messages) == 1)
    lines = [record.getMessage() for record in caplog.records if record.name == "asr.http.edge"]
    assert answer.headers["X-Request-Id"] == "my-id.1"
    assert len(lines) == 1
    assert re.fullmatch(r"GET /v1/models/a%0Ab 404 \d+\.\d{3} s", lines[0])
    assert vars(caplog.records[0])["request_id"] == "my-id.1"


@pytest.mark.parametrize(
    "theirs", [[b""], [b"a b"], [b"x" * 65], [b"\xff"], [b'"><script>'], [b"a\n"], [b"a", b"b"], []]
)
def test_a_strange_id_is_replaced_and_one_of_several(theirs: list[bytes]) -> None:
    headers = [(b"X-Request-Id", value) for value in theirs]
    assert re.fullmatch("[0-9a-f]{32}", request_id(headers))


def test_an_id_that_is_sent_twice_is_one_id() -> None:
    assert request_id([(b"x-request-id", b"a"), (b"X-Request-Id", b"a")]) == "a"


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET / HTTP/1.1", 200),
        ("GET ?q=1 HTTP/1.1", 200),
        ("GET http://x/health HTTP/1.1", 200),
        ("HEAD /health HTTP/1.1", 200),
        ("OPTIONS /asr HTTP/1.1", 200),
        ("OPTIONS * HTTP/1.1", 404),
        ("GET http://[x/nothing HTTP/1.1", 404),
        ("GET nothing HTTP/1.1", 404),
        ("GET /v1/models/nothing HTTP/1.1", 404),
        ("GET /asr HTTP/1.1", 405),
        (f"POST /asr HTTP/1.1\r\nContent-Type: {FORM_TYPE}\r\nContent-Length: 900000000", 413),
        ("POST /asr HTTP/1.1", 422),
        (f"GET /ws HTTP/1.1\r\n{UPGRADE}", 404),
        (f"GET /health HTTP/1.1\r\n{UPGRADE}", 200),
    ],
)
@pytest.mark.parametrize("linger_s", [0.3])
async def test_every_answer_has_its_id_and_every_address_is_one(
    server: Server, caplog: pytest.LogCaptureFixture, line: str, status: int
) -> None:
    with caplog.at_level(logging.DEBUG, logger="asr.http.edge"):
        headers = "Host: x\r\nX-Request-Id: my-id\r\nConnection: close"
        heard = await server.say(f"{line}\r\n{headers}\r\n\r\n".encode())
        await until(lambda: len(caplog.messages) == 1)
    assert heard.startswith(f"HTTP/1.1 {status} ".encode())
    assert heard.count(b"\r\nx-request-id: my-id\r\n") == 1
    assert re.fullmatch(rf"[A-Z]+ /[^ ?]* {status} \d+\.\d{{3}} s", caplog.messages[0])
    assert vars(caplog.records[0])["request_id"] == "my-id"


async def test_a_stream_has_its_id(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.post(
            "/v1/audio/transcriptions",
            content=form({"stream": "true"}),
            headers={**HEADERS, "X-Request-Id": "my-id"},
        )
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["X-Request-Id"] == "my-id"


async def test_an_app_that_fails_outside_its_handlers_is_logged_and_counted_as_our_fault(
    house: FakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    async def app(*_: object) -> Any:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a bug")

    edge = Edge(app, door=Door(), metrics=house.metrics)
    headers = [(b"x-request-id", b"my-id")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": headers}
    await edge(scope, app, app)
    assert "request my-id failed outside its handler" in caplog.messages
    assert "RuntimeError: a bug" in caplog.text
    assert counted(house) == ['whisperx_requests_total{endpoint="<none>",status="500"} 1.0']


async def test_the_ids_in_a_bugs_answer_and_in_the_log_are_the_same(
    server: Server, house: FakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house.answer = RuntimeError("a bug")
    async with httpx.AsyncClient(base_url=server.url) as client:
        headers = {**HEADERS, "X-Request-Id": "my-id"}
        answer = await client.post("/asr", content=asr_form(), headers=headers)
    assert answer.json() == {"detail": "Internal error: the server's log has it under my-id"}
    assert "request my-id failed" in caplog.messages


@pytest.mark.parametrize(
    ("host", "key", "said"),
    [
        ("127.0.0.1", None, []),
        ("localhost", None, []),
        ("0.0.0.0", "hush", []),
        (
            "0.0.0.0",
            None,
            ["Anybody who can reach 0.0.0.0 may use this server: no API_KEYS are set"],
        ),
    ],
)
async def test_a_server_that_the_network_can_reach_without_a_key_says_so(
    house: FakeHouse,
    settings: HttpSettings,
    caplog: pytest.LogCaptureFixture,
    host: str,
    key: str | None,
    said: list[str],
) -> None:
    stop = trio.Event()
    stop.set()
    settings = replace(settings, host=host, api_keys=SecretStr(key) if key else None)
    await serve(as_house(house), settings, stop=stop, drain_s=0)
    assert caplog.messages == said
