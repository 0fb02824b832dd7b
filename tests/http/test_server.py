"""The edge and the drain: every request is counted once, and accepted ones may finish."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from asr.http.door import Door
from asr.http.edge import request_id
from tests.http.wire import FORM_TYPE, asr_form, counted, post, read_all, until

if TYPE_CHECKING:
    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

HEADERS = {"Content-Type": FORM_TYPE}


async def test_the_drain_lets_accepted_requests_finish_and_refuses_new_ones(
    server: Server, house: FakeHouse
) -> None:
    house.hold()
    answers: list[int] = []

    async def ask(client: httpx.AsyncClient) -> None:
        answers.append((await client.post("/asr", content=asr_form(), headers=HEADERS)).status_code)

    async with httpx.AsyncClient(base_url=server.url) as client, trio.open_nursery() as asking:
        asking.start_soon(ask, client)
        await until(lambda: house.running == 1)
        server.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        late = await client.post("/asr", content=asr_form(), headers=HEADERS)
        health = await client.get("/health")
        assert [late.status_code, late.headers["Retry-After"]] == [503, "10"]
        assert health.status_code == 200
        assert not server.gone.is_set()
        house.release()
        with trio.fail_after(1):
            await server.gone.wait()
    assert answers == [200]


async def test_what_does_not_finish_in_its_time_is_cut(server: Server, house: FakeHouse) -> None:
    house.hold()
    async with await server.connect() as stream:
        await stream.send_all(post("/asr", asr_form()))
        await until(lambda: house.running == 1)
        server.stop.set()
        with trio.fail_after(6):  # 2 s of drain, 2 s of grace
            await server.gone.wait()
            assert await read_all(stream) == b""
    assert house.running == 0


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
        await until(lambda: "my-id.1" in caplog.text)
    lines = [record.getMessage() for record in caplog.records if record.name == "asr.http.edge"]
    assert answer.headers["X-Request-Id"] == "my-id.1"
    assert len(lines) == 1
    assert re.fullmatch(r"my-id\.1 GET /v1/models/a%0Ab 404 0\.\d{3} s", lines[0])


@pytest.mark.parametrize("theirs", [b"", b"a b", b"x" * 65, b"\xff", b'"><script>'])
def test_a_strange_id_is_replaced(theirs: bytes) -> None:
    assert re.fullmatch("[0-9a-f]{32}", request_id([(b"X-Request-Id", theirs)]))


async def test_the_ids_in_a_bugs_answer_and_in_the_log_are_the_same(
    server: Server, house: FakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    house.answer = RuntimeError("a bug")
    async with httpx.AsyncClient(base_url=server.url) as client:
        headers = {**HEADERS, "X-Request-Id": "my-id"}
        answer = await client.post("/asr", content=asr_form(), headers=headers)
    assert answer.json() == {"detail": "The server made an error; its log knows it as my-id"}
    assert "request my-id failed" in caplog.messages


async def test_a_door_is_empty_when_it_is_closed_and_the_last_has_left() -> None:
    door = Door()
    with door.enter():
        with door.enter():
            door.close()
        with trio.move_on_after(0) as waiting:
            await door.wait_empty()
        assert waiting.cancelled_caught
    await door.wait_empty()
