"""The events of jobs come in order, go on where they were left, and end as they should."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

import httpx
import pytest
import trio

from asr.actors.jobs.queue import Poison, UnknownJob
from asr.http.app import create_app
from asr.http.door import Door
from asr.http.streams import KEEP_ALIVE_S
from tests.http.fakes import as_house
from tests.http.promises import Promises, events
from tests.http.registers import as_register
from tests.http.wire import FORM_TYPE, form, made

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol
    from trio.testing import MockClock

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse
    from tests.http.registers import FakeRegister
    from tests.http.wire import Server

HEADERS = {"Content-Type": FORM_TYPE}
PROGRESS: dict[str, Any] = {
    **{"state": "transcribing", "place": None, "done_s": 1.5, "audio_s": 3.5, "left_s": 0.8}
}
SEGMENT: dict[str, Any] = {"index": 0, "start": 0.0, "end": 1.5, "text": " a\u2028b"}


async def done(desk: TestClientProtocol, register: FakeRegister) -> str:
    """A job that has ended with six events."""
    job_id = await made(desk)
    register.begin(job_id)
    register.tell(job_id, "waveform", duration=3.5, peaks=[1, 2])
    register.tell(job_id, "segment", **SEGMENT)
    finished = {"language": "en", "stages": {"decode": 0.9}, "warnings": ["w"], "left_s": 0.0}
    register.tell(job_id, "progress", **{**PROGRESS, **finished, "state": "finished"})
    register.end(job_id, "done")
    return job_id


async def test_the_events_of_a_job_that_has_ended_are_told_at_once(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    where = f"/v1/jobs/{await done(desk, register)}/events"
    answer = await desk.get(where)
    assert answer.headers["Content-Type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["Cache-Control"] == "no-store, no-transform"
    text = await answer.get_data(as_text=True)
    told = list(events(text))
    assert [event["id"] for event in told] == ["1", "2", "3", "4", "5", "6"]
    kinds = ["queued", "started", "waveform", "segment", "progress", "done"]
    assert [event["event"] for event in told] == kinds
    assert json.loads(told[3]["data"]) == SEGMENT
    assert "\u2028" not in text  # an end of line to some readers
    assert json.loads(told[-1]["data"]) == {
        **{"duration": 3.5, "language": "en", "stages": {"decode": 0.9}, "warnings": ["w"]}
    }
    for event in told:
        promises.check_named(f"Job{event['event'].title()}", json.loads(event["data"]))
    promises.check_body({"$ref": "#/components/schemas/JobEvent"}, "text/event-stream", text)
    assert register.listening == 0


async def test_events_go_on_where_a_client_left(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    where = f"/v1/jobs/{await done(desk, register)}/events"
    answer = await desk.get(where, headers={"Last-Event-ID": "4"})
    told = list(events(await answer.get_data(as_text=True)))
    assert [event["id"] for event in told] == ["5", "6"]


@pytest.mark.parametrize("number", ["6", "7", "999"])
async def test_who_knows_all_of_it_is_told_not_to_come_back(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises, number: str
) -> None:
    where = f"/v1/jobs/{await done(desk, register)}/events"
    answer = await desk.get(where, headers={"Last-Event-ID": number})
    assert (answer.status_code, await answer.get_data()) == (204, b"")
    assert register.listening == 0


async def test_who_has_not_heard_all_when_the_server_ends_may_come_back(
    house: FakeHouse,
    settings: HttpSettings,
    register: FakeRegister,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    door = Door()
    listen = register.events

    async def closing(*asked: Any, **more: Any) -> Any:
        door.close()
        return await listen(*asked, **more)

    monkeypatch.setattr(register, "events", closing)
    app = create_app(as_house(house), settings, jobs=as_register(register), door=door)
    desk = app.test_client()
    where = f"/v1/jobs/{await done(desk, register)}/events"
    answer = await desk.get(where, headers={"Last-Event-ID": "4"})
    assert answer.status_code == 200
    assert list(events(await answer.get_data(as_text=True))) == []


async def test_a_job_that_failed_says_why(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    job_id = await made(desk)
    register.end(job_id, "failed", Poison())
    text = await (await desk.get(f"/v1/jobs/{job_id}/events")).get_data(as_text=True)
    last = json.loads(list(events(text))[-1]["data"])
    assert last["error"]["code"] == "job_crashed"
    promises.check_named("JobFailed", last)


@pytest.mark.parametrize("path", ["none/events"])
async def test_an_unknown_job_has_no_events(desk: TestClientProtocol, path: str) -> None:
    answer = await desk.get(f"/v1/jobs/{path}")
    assert answer.status_code == 404


async def test_a_number_that_is_none_is_refused(desk: TestClientProtocol) -> None:
    where = f"/v1/jobs/{await made(desk)}/events"
    answer = await desk.get(where, headers={"Last-Event-ID": "x"})
    assert answer.status_code == 400
    assert (await answer.get_json())["error"]["param"] == "Last-Event-ID"


class Reader:
    """What has been read of a stream."""

    def __init__(self) -> None:
        self.text = ""
        self.over = False

    @property
    def told(self) -> list[str]:
        return [event["event"] for event in events(self.text)]


async def listened(server: Server, path: str, reader: Reader) -> None:
    async with (
        httpx.AsyncClient(timeout=10) as client,
        client.stream("GET", server.url + path) as answer,
    ):
        async for text in answer.aiter_text():
            reader.text += text
    reader.over = True


async def until(condition: Any) -> None:
    """Wait for what real sockets bring."""
    with trio.fail_after(10):
        while not condition():
            await trio.lowlevel.checkpoint()


async def submitted(server: Server) -> str:
    async with httpx.AsyncClient(timeout=10) as client:
        answer = await client.post(f"{server.url}/v1/jobs", content=form(), headers=HEADERS)
        job_id: str = answer.json()["id"]
        return job_id


async def test_events_come_as_they_happen(
    server: Server, register: FakeRegister, nursery: trio.Nursery
) -> None:
    job_id, reader = await submitted(server), Reader()
    nursery.start_soon(listened, server, f"/v1/jobs/{job_id}/events", reader)
    await until(lambda: reader.told == ["queued"])
    register.begin(job_id)
    await until(lambda: reader.told == ["queued", "started"])
    register.tell(job_id, "progress", **PROGRESS)
    register.end(job_id, "cancelled")
    await until(lambda: reader.over)
    assert reader.told == ["queued", "started", "progress", "cancelled"]
    assert register.listening == 0


async def test_a_client_that_leaves_is_forgotten_and_its_job_is_not(
    server: Server, register: FakeRegister
) -> None:
    job_id, reader = await submitted(server), Reader()
    async with trio.open_nursery() as client:
        client.start_soon(listened, server, f"/v1/jobs/{job_id}/events", reader)
        await until(lambda: reader.told == ["queued"])
        assert register.listening == 1
        client.cancel_scope.cancel()
    await until(lambda: register.listening == 0)
    assert register.standings[job_id].state == "queued"


async def test_who_asks_for_the_head_of_a_stream_has_it_at_once(
    server: Server, register: FakeRegister
) -> None:
    job_id = await submitted(server)
    async with httpx.AsyncClient(timeout=5) as client:
        head = await client.head(f"{server.url}/v1/jobs/{job_id}/events")
        assert head.headers["Content-Type"] == "text/event-stream; charset=utf-8"
        assert (await client.get(f"{server.url}/v1/jobs/{job_id}")).status_code == 200
    assert register.listening == 0


async def test_a_job_that_is_deleted_meanwhile_ends_its_streams_with_an_error(
    server: Server, register: FakeRegister, nursery: trio.Nursery
) -> None:
    job_id, reader = await submitted(server), Reader()
    nursery.start_soon(listened, server, f"/v1/jobs/{job_id}/events", reader)
    await until(lambda: reader.told == ["queued"])
    await register.delete(job_id, client=None)
    await until(lambda: reader.over)
    assert reader.told == ["queued", "error"]
    last = list(events(reader.text))[-1]
    assert json.loads(last["data"])["error"]["message"] == UnknownJob().message
    assert "id" not in last


async def test_a_drain_waits_for_nobody_who_only_listens(
    server: Server, register: FakeRegister, nursery: trio.Nursery
) -> None:
    job_id, reader = await submitted(server), Reader()
    nursery.start_soon(listened, server, f"/v1/jobs/{job_id}/events", reader)
    await until(lambda: reader.told == ["queued"])
    with trio.fail_after(10):  # less than the drain may take
        server.stop.set()
        await server.gone.wait()
    await until(lambda: reader.over)  # whole, as far as it goes: nothing was cut off
    assert reader.told == ["queued"]


async def test_a_place_in_line_is_told_when_it_changes(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises, autojump_clock: MockClock
) -> None:
    await made(desk)
    job_id = await made(desk)
    async with desk.request(f"/v1/jobs/{job_id}/events") as connection:
        await connection.send_complete()
        assert await connection.receive() == b"retry: 3000\n\n"
        assert b'"place": 2' in await connection.receive()
        assert (await connection.receive()).startswith(b": ")
        assert trio.current_time() == KEEP_ALIVE_S
        register.move(job_id, 1)
        (news,) = events((await connection.receive()).decode())
        assert "id" not in news
        assert json.loads(news["data"]) == {"state": "queued", "place": 1}
        promises.check_named("JobProgress", json.loads(news["data"]))
        assert (await connection.receive()).startswith(b": ")
        register.begin(job_id)
        assert b"started" in await connection.receive()
        assert (await connection.receive()).startswith(b": ")
        register.end(job_id, "cancelled")
        assert b"cancelled" in await connection.receive()


async def test_a_queue_that_is_slow_to_tell_the_place_leaves_nobody_without_a_word(
    desk: TestClientProtocol,
    register: FakeRegister,
    monkeypatch: pytest.MonkeyPatch,
    autojump_clock: MockClock,
) -> None:
    job_id = await made(desk)
    async with desk.request(f"/v1/jobs/{job_id}/events") as connection:
        await connection.send_complete()
        assert await connection.receive() == b"retry: 3000\n\n"
        assert b"queued" in await connection.receive()

        async def away(job_id: str, *, client: str | None) -> NoReturn:
            await trio.sleep_forever()

        with monkeypatch.context() as patch:
            patch.setattr(register, "standing", away)
            assert (await connection.receive()).startswith(b": ")
        assert trio.current_time() == 2 * KEEP_ALIVE_S
        register.end(job_id, "cancelled")
        assert b"cancelled" in await connection.receive()
