"""Closing time: who was let in may finish for a while, and hears so when that is over."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
import trio.testing

from asr.http.door import Door
from asr.http.patience import Patience
from asr.pipeline.types import Progress
from tests.fakes import pass_time
from tests.http.fakes import HELLO
from tests.http.wire import FORM_TYPE, asr_form, form, post, read_all, until

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
        with trio.fail_after(10):
            await server.gone.wait()
    assert answers == [200]


@pytest.mark.parametrize("drain_s", [2])
@pytest.mark.parametrize(
    ("path", "begins", "ends"),
    [
        ("/asr", '{"detail":', "}\n"),
        ("/v1/audio/transcriptions", '{"error":{"message":', '"code":"shutting_down"}}\n'),
        ("/detect-language", "The server is shutting down; try again later", "\n"),
    ],
)
async def test_who_is_not_done_in_time_hears_so(
    server: Server,
    house: FakeHouse,
    caplog: pytest.LogCaptureFixture,
    path: str,
    begins: str,
    ends: str,
) -> None:
    house.hold()
    file_field = "file" if path.startswith("/v1") else "audio_file"
    fields = {"stream": "true"} if path.startswith("/v1") else {}  # one that has told nothing yet
    async with httpx.AsyncClient(base_url=server.url) as client, trio.open_nursery() as nursery:

        async def stop() -> None:
            await until(lambda: house.running == 1)
            server.stop.set()

        nursery.start_soon(stop)
        with trio.fail_after(20):
            body = form(fields, file_field=file_field)
            answer = await client.post(path, content=body, headers=HEADERS)
            await server.gone.wait()
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
    assert answer.text.startswith(begins)
    assert answer.text.endswith(ends)
    assert house.running == 0
    assert "1 requests were not done within ASR_DRAIN_S" in caplog.messages


@pytest.mark.parametrize("drain_s", [2])
async def test_a_stream_that_is_not_done_in_time_ends_with_an_error(
    server: Server, house: FakeHouse
) -> None:
    house.news = (Progress(0.0, 3.5), Progress(1.5, 3.5, HELLO.segments[:1]))
    house.hold()
    body = form({"stream": "true"})
    async with (
        httpx.AsyncClient(base_url=server.url) as client,
        client.stream("POST", "/v1/audio/transcriptions", content=body, headers=HEADERS) as answer,
    ):
        server.stop.set()
        with trio.fail_after(20):
            heard = [text async for text in answer.aiter_text()]
            await server.gone.wait()
    *_, last, end = "".join(heard).split("\n\n")
    assert answer.status_code == 200
    assert last.startswith('event: error\ndata: {"error": {"message": "The server is shutting down')
    assert ('"code": "shutting_down"' in last, end) == (True, "")
    assert house.running == 0


async def test_who_comes_after_closing_time_does_not_keep_the_door_from_closing() -> None:
    door = Door()
    with ExitStack() as late:
        with door.enter():
            door.close()
            late.enter_context(door.enter())
        await door.wait_empty()
    assert door.inside == 0


async def test_an_answer_on_its_way_to_the_door_says_that_the_connection_ends(
    server: Server, house: FakeHouse
) -> None:
    house.hold()
    async with await server.connect() as stream:
        await stream.send_all(post("/asr", asr_form()))
        await until(lambda: house.running == 1)
        server.stop.set()
        await trio.testing.wait_all_tasks_blocked()
        house.release()
        with trio.fail_after(10):
            assert b"\r\nconnection: close\r\n" in (await read_all(stream)).lower()


async def test_patience_is_lowered_for_those_who_wait_already(
    autojump_clock: trio.testing.MockClock,
) -> None:
    patience = Patience()
    waited: list[float] = []

    async def wait(seconds: float) -> None:
        with patience.waiting(seconds) as waiting:
            await trio.sleep_forever()
        assert waiting.cancelled_caught
        waited.append(trio.current_time())

    began_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        for seconds in (1, 30, 11):
            nursery.start_soon(wait, seconds)
        await pass_time(10)
        patience.lower(3)
        nursery.start_soon(wait, 30)
    assert [at_s - began_s for at_s in waited] == pytest.approx([1, 11, 13, 13])


async def test_a_door_is_empty_when_it_is_closed_and_the_last_has_left() -> None:
    door = Door()
    with door.enter():
        with door.enter():
            door.close()
        with trio.move_on_after(0) as waiting:
            await door.wait_empty()
        assert waiting.cancelled_caught
    await door.wait_empty()
