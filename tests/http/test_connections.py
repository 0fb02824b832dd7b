"""Who is let in when there are as many connections as there may be."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from asr.http.connections import CROWD_MAX, Connections
from tests.http.wire import asr_form, post, read_all, until

if TYPE_CHECKING:
    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server


class Visitor:
    """A connection that can be asked to make room."""

    def __init__(self) -> None:
        self.left = False

    def make_room(self) -> None:
        self.left = True


def test_who_has_waited_longest_for_a_request_makes_room() -> None:
    connections = Connections(3)
    a, b, c, newcomer = (Visitor() for _ in range(4))
    assert [connections.enter(visitor) for visitor in (a, b, c)] == ["served"] * 3
    connections.is_busy(a)
    connections.is_idle(a)  # it waits for its second request since a moment ago
    assert connections.enter(newcomer) == "served"
    assert [visitor.left for visitor in (a, b, c, newcomer)] == [False, True, False, False]
    assert connections.count() == 3


def test_nobody_who_is_served_makes_room() -> None:
    connections = Connections(2)
    served = [Visitor(), Visitor()]
    for visitor in served:
        connections.enter(visitor)
        connections.is_busy(visitor)
    assert connections.enter(Visitor()) == "refused"
    assert not any(visitor.left for visitor in served)
    connections.leave(served[0])
    assert connections.enter(Visitor()) == "served"


def test_the_crowd_is_bounded_as_well() -> None:
    connections = Connections(1)
    for visitor in (one := Visitor(), *(crowd := [Visitor() for _ in range(CROWD_MAX)])):
        connections.enter(visitor)
        connections.is_busy(visitor)
    assert connections.enter(Visitor()) == "closed"
    connections.is_idle(crowd[3])
    assert connections.enter(Visitor()) == "refused"
    assert [visitor.left for visitor in (one, *crowd)].count(True) == crowd[3].left == 1
    assert connections.count() == 1 + CROWD_MAX


def test_who_was_asked_to_leave_takes_nobodys_place_when_its_answer_ends() -> None:
    connections = Connections(1)
    gone, here = Visitor(), Visitor()
    connections.enter(gone)
    connections.enter(here)
    connections.is_idle(gone)
    connections.leave(gone)
    assert (gone.left, here.left, connections.count()) == (True, False, 1)


@pytest.mark.parametrize(("connections_max", "keep_alive_s"), [(3, 30)])
async def test_at_the_bound_probes_are_answered_and_others_are_told_to_come_back(
    server: Server, house: FakeHouse
) -> None:
    house.hold()
    async with AsyncExitStack() as stack:
        busy = [await stack.enter_async_context(await server.connect()) for _ in range(3)]
        for stream in busy:
            await stream.send_all(post("/asr?output=txt", asr_form(), "Connection: close"))
        await until(lambda: len(house.asked) == 3)
        async with httpx.AsyncClient(base_url=server.url) as client:
            refused = [
                await client.post("/v1/audio/transcriptions", content=asr_form())
                for _ in range(2 * CROWD_MAX)
            ][-1]
            health = await client.get("/health")
            numbers = await client.get("/metrics")
        house.release()
        heard = [await read_all(stream) for stream in busy]
    assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "busy"
    assert (refused.headers["retry-after"], refused.headers["connection"]) == ("5", "close")
    assert (health.status_code, health.headers["connection"]) == (200, "close")
    assert "\nasr_connections 4.0\n" in numbers.text
    assert all(answer.startswith(b"HTTP/1.1 200") for answer in heard)


@pytest.mark.parametrize(("connections_max", "keep_alive_s", "linger_s"), [(1, 30, 30)])
async def test_past_the_crowd_a_connection_hears_a_few_words_and_is_closed(
    server: Server, house: FakeHouse
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(1 + CROWD_MAX):  # answered early, and never sent to their end
            stream = await stack.enter_async_context(await server.connect())
            await stream.send_all(post("/health", b"x" * 100)[:-1])
            # Its head is read before the next one comes, for whom it would have to make room.
            await trio.testing.wait_all_tasks_blocked(0.02)
        await until(lambda: "asr_connections 17.0" in house.metrics.render()[0].decode())
        await trio.testing.wait_all_tasks_blocked(0.05)
        async with await server.connect() as stream:
            heard = await read_all(stream)
    assert heard.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    assert b"Retry-After: 5\r\nConnection: close\r\n" in heard


@pytest.mark.parametrize(("connections_max", "keep_alive_s"), [(5, 30)])
async def test_idle_connections_keep_nobody_out(server: Server) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(50):
            await stack.enter_async_context(await server.connect())
        assert await server.healthy()
        async with httpx.AsyncClient(base_url=server.url) as client:
            answer = await client.post("/asr", content=b"")
    assert answer.status_code == 422
