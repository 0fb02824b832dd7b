"""One bad connection hurts no other: each pattern here ends the stock server."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
import trio.testing
from hypercorn.trio.worker_context import WorkerContext

from asr.http.body import LINGER_BYTES, BoundedBody
from asr.http.guards import GuardedConfig, GuardedConnection
from tests.attack.connections import (
    H2C,
    KILLERS,
    STATUS,
    UPGRADE,
    Attack,
    attacks,
    carry_out,
)
from tests.fakes import pass_time
from tests.http.fakes import HELLO, segment
from tests.http.wire import FORM_TYPE, asr_form, counted, post, read_all, until

if TYPE_CHECKING:
    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server


async def attack(server: Server, first: bytes, second: bytes) -> None:
    """Two pieces with a moment for the server in between, then a hang-up."""
    with suppress(trio.BrokenResourceError):
        async with await server.connect() as stream:
            await stream.send_all(first)
            with trio.move_on_after(0.02):
                await stream.receive_some()
            await stream.send_all(second)
            with trio.move_on_after(0.02):
                await stream.receive_some()


@pytest.mark.parametrize("pattern", KILLERS)
async def test_the_server_outlives(server: Server, pattern: str) -> None:
    async with trio.open_nursery() as attackers:
        for _ in range(30):
            attackers.start_soon(attack, server, *KILLERS[pattern])
    assert await server.healthy()


async def test_an_upgrade_to_http2_is_answered_in_http1(server: Server) -> None:
    answer = await server.say(H2C.replace(b"Upgrade, ", b"close, Upgrade, "))
    assert answer.startswith(b"HTTP/1.1 200")


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


async def settled(files: int, tasks: int) -> bool:
    """Whether what the connections used is given back, before a long keep-alive time is over."""
    for _ in range(400):
        if open_files() <= files and trio.lowlevel.current_statistics().tasks_living <= tasks:
            return True
        await pass_time(0.05)
    return False


@pytest.mark.parametrize(("keep_alive_s", "linger_s", "write_timeout_s"), [(0.3, 0.3, 0.3)])
async def test_700_mutated_connections_leave_nothing_behind(server: Server) -> None:
    files, tasks = open_files(), trio.lowlevel.current_statistics().tasks_living
    at_once = trio.CapacityLimiter(20)

    async def one(attack: Attack) -> None:
        async with at_once:
            await carry_out(attack, server.url)

    async with trio.open_nursery() as attackers:
        for attack in attacks(seed=20261122, count=700):
            if attack.ending != "patient":  # those wait for timers that are long here
                attackers.start_soon(one, attack)
    assert await settled(files, tasks)
    assert await server.healthy()


@pytest.mark.parametrize("keep_alive_s", [0.3])
async def test_an_idle_connection_is_closed_after_its_first_request(server: Server) -> None:
    answer = await server.say(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n", within_s=4)
    assert answer.startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("keep_alive_s", [30])
async def test_a_connection_whose_client_has_closed_it_is_given_back_at_once(
    server: Server, house: FakeHouse
) -> None:
    files, tasks = open_files(), trio.lowlevel.current_statistics().tasks_living
    async with await server.connect() as stream:
        await stream.send_all(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
        await until(lambda: len(counted(house)) == 1)
    assert await settled(files, tasks)


@pytest.mark.parametrize("keep_alive_s", [30])
async def test_a_client_that_leaves_behind_pipelined_requests_ends_the_one_at_work(
    server: Server, house: FakeHouse
) -> None:
    files, tasks = open_files(), trio.lowlevel.current_statistics().tasks_living
    house.hold()
    async with await server.connect() as stream:
        request = post("/asr", asr_form())
        await stream.send_all(request * 3)
        await until(lambda: len(house.asked) == 1)
    assert await settled(files, tasks)
    assert len(house.asked) == 1


async def test_pipelined_requests_are_answered_in_order(server: Server, house: FakeHouse) -> None:
    one = post("/asr", asr_form())
    last = post("/asr", asr_form(), "Connection: close")
    heard = await server.say(one + b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n" + last)
    assert STATUS.findall(heard) == [b"200"] * 3
    first, second, third = heard.split(b"HTTP/1.1 ")[1:]
    assert b"Hello there" in first
    assert b'"status":"healthy"' in second
    assert b"Hello there" in third
    assert len(house.asked) == 2


async def test_nothing_follows_a_body_that_ends_in_two_ways(server: Server) -> None:
    head = b"POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\nTransfer-Encoding: chunked\r\n"
    heard = await server.say(head + b"\r\n0\r\n\r\nGET /health HTTP/1.1\r\nHost: x\r\n\r\n")
    assert heard.startswith(b"HTTP/1.1 404")
    assert b"connection: close" in heard
    assert heard.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("keep_alive_s", [0.3])
async def test_a_head_that_never_ends_is_cut(server: Server) -> None:
    assert await server.say(b"GET /health HTTP/1.1\r\nHost:", within_s=4) == b""


async def test_a_host_that_is_no_name_is_no_fault_of_ours(server: Server) -> None:
    host = b"a" * 64  # one letter more than a name may have between two dots
    head = b"POST /v1/audio/transcriptions HTTP/1.1\r\nConnection: close\r\nHost: %b\r\n\r\n"
    heard = await server.say(head % host)
    assert heard.startswith(b"HTTP/1.1 400")
    assert b'"type":"invalid_request_error"' in heard


async def test_an_upgrade_that_http_forbids_keeps_no_connection_open(server: Server) -> None:
    late = UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\x81\x85abcdhello"
    assert (await server.say(late, within_s=4)).startswith(b"HTTP/1.1 404")


async def test_a_connection_serves_many_requests(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        answers = [await client.post("/asr", content=b"x") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [422, 422, 422]


async def stall(server: Server) -> trio.SocketStream:
    """A client that asks for a large answer and does not read it."""
    stream = await server.connect()
    await stream.send_all(post("/asr?output=txt", asr_form()))
    return stream


@pytest.fixture
def long_answer(house: FakeHouse) -> int:
    """The length of an answer that no socket buffer holds."""
    house.answer = replace(HELLO, segments=(segment(0, 1, "x" * 30_000_000),))
    return 30_000_000


@pytest.mark.parametrize("write_timeout_s", [0.3])
async def test_a_client_that_does_not_read_is_cut_off(
    server: Server, house: FakeHouse, long_answer: int
) -> None:
    async with await stall(server) as stream:
        await until(lambda: len(counted(house)) == 1)
        with trio.fail_after(10):
            assert len(await read_all(stream)) < long_answer


class Peer:
    """What a connection asks its socket."""

    family = socket.AF_INET

    def getpeername(self) -> tuple[str, int]:
        return ("192.0.2.1", 50_000)

    getsockname = getpeername


async def test_a_write_is_bounded_also_where_the_system_bounds_none(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def app(scope: Any, receive: Any, send: Any, *_: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    ours, theirs = trio.testing.lockstep_stream_pair()  # a write waits until it is read
    ours.socket = Peer()  # type: ignore[attr-defined]
    config = GuardedConfig()
    config.write_timeout_s = 0.7
    connection = GuardedConnection(app, config, WorkerContext(None), {}, ours)
    started_s = trio.current_time()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(connection.run)
        await theirs.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert trio.current_time() - started_s == pytest.approx(0.7)


@pytest.mark.parametrize("write_timeout_s", [0.3])
async def test_a_client_that_does_not_read_holds_up_no_shutdown(
    server: Server, house: FakeHouse, long_answer: int
) -> None:
    async with await stall(server):
        await until(lambda: len(house.asked) == 1)
        server.stop.set()
        with trio.fail_after(10):
            await server.gone.wait()


async def test_a_slow_reader_gets_all_of_a_long_answer(server: Server, long_answer: int) -> None:
    async with await stall(server) as stream:
        heard = 0
        with trio.fail_after(20):
            while heard < long_answer:
                if not (part := await stream.receive_some(4_000_000)):
                    break
                heard += len(part)
                await pass_time(0.05)
    assert heard > long_answer


async def test_of_a_refused_upload_no_more_than_so_much_is_waited_for() -> None:
    body = BoundedBody(None, None)
    body.discard()
    for _ in range(LINGER_BYTES // 1_000_000):
        await body.put(bytes(1_000_000))
    assert not body.over.is_set()
    await body.put(b"x")
    assert body.over.is_set()


async def test_an_early_answer_is_heard_over_the_rest_of_the_upload(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        headers = {"Content-Type": FORM_TYPE}
        answer = await client.post("/none", content=bytes(20_000_000), headers=headers)
    assert answer.status_code == 404
