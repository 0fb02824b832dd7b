"""What the edge puts down of a request, for the log and whoever else is told."""

from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
import trio
from pydantic import SecretStr

from asr.http.app import create_app
from asr.http.door import Door
from asr.http.edge import Edge, traceparent
from asr.http.exchange import shown
from tests.http.fakes import as_house
from tests.http.wire import FORM_TYPE, asr_form, form, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asr.actors.trail import Trail
    from asr.http.edge import App
    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

HEADERS = {"Content-Type": FORM_TYPE}
GOOD = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("host", "said"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("192.168.1.20", "192.168.1.20"),
        ("::1", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("8.8.4.4", "8.8.4.0/24"),
        ("2001:4860:4860::8888", "2001:4860:4860::/48"),
        ("", ""),
        ("a socket", ""),
    ],
)
def test_of_addresses_of_the_internet_only_the_network_is_put_down(host: str, said: str) -> None:
    assert shown(host) == said


@pytest.mark.parametrize(
    ("theirs", "believed"),
    [
        ([GOOD], GOOD.decode()),
        ([GOOD, GOOD], ""),
        ([GOOD.upper()], ""),
        ([b"01" + GOOD[2:]], ""),
        ([GOOD + b"\n"], ""),
        ([b""], ""),
        ([], ""),
    ],
)
def test_a_trace_is_taken_up_if_it_is_in_good_order(theirs: list[bytes], believed: str) -> None:
    assert traceparent([(b"Traceparent", value) for value in theirs]) == believed


async def test_whoever_wants_to_is_told_of_each_request_but_not_of_probes(
    house: FakeHouse, settings: HttpSettings
) -> None:
    told: list[Trail] = []
    app = cast("App", create_app(as_house(house), settings))
    edge = Edge(app, door=Door(), metrics=house.metrics, told=told.append)
    transport = httpx.ASGITransport(cast("Any", edge), client=("192.0.2.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        assert (await client.get("/health")).status_code == 200
        await client.post("/asr?initial_prompt=hush", content=asr_form(), headers=HEADERS)
        await client.post("/v1/audio/transcriptions", content=form({"model": "x"}), headers=HEADERS)
        await client.get("/v1/models", headers={"Host": "evil.example"})
        await client.get("/v1/models/none-such")
    done, refused, alien, unknown = told
    assert [*done.stages] == ["upload", "format", "send"]
    assert (done.facts["status"], done.facts["endpoint"]) == (200, "/asr")
    assert done.facts["bytes_received"] == len(asr_form())
    assert "hush" not in str(done)
    assert (alien.facts["status"], alien.facts["error"]) == (403, "host_not_allowed")
    assert (unknown.facts["status"], unknown.facts["error"]) == (404, "model_not_found")
    assert (refused.facts["status"], refused.facts["error"]) == (400, "model_not_found")
    assert done.began_s < done.ended_s < refused.began_s


async def test_a_client_is_known_by_its_key_if_it_has_one(
    house: FakeHouse, settings: HttpSettings
) -> None:
    told: list[Trail] = []
    keyed = replace(settings, api_keys=SecretStr("first,second"))
    app = cast("App", create_app(as_house(house), keyed))
    edge = Edge(app, door=Door(), metrics=house.metrics, told=told.append)
    transport = httpx.ASGITransport(cast("Any", edge), client=("8.8.4.4", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        await client.get("/v1/models", headers={"api-key": "second"})
        await client.get("/v1/models", headers={"api-key": "wrong"})
    known, unknown = told
    assert known.facts["client"] == "key 2"
    assert (unknown.facts["client"], unknown.facts["error"]) == ("8.8.4.0/24", "invalid_api_key")


async def test_who_leaves_is_counted_once_and_its_line_says_where_it_was(
    server: Server, house: FakeHouse, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="asr.http.edge"):
        async with (
            httpx.AsyncClient(base_url=server.url) as client,
            trio.open_nursery() as nursery,
        ):
            ask = partial(client.post, "/asr", content=endless(), headers=HEADERS)
            nursery.start_soon(ask)
            await until(lambda: house.receiver.uploads == 1)
            nursery.cancel_scope.cancel()
        await until(lambda: bool(caplog.messages))
    assert 'asr_abandoned_total{stage="upload"} 1.0' in house.metrics.render()[0].decode()
    assert vars(caplog.records[0])["left_in"] == "upload"


async def endless() -> AsyncIterator[bytes]:
    """A body that stays away in the middle."""
    yield asr_form()[:-10]
    await trio.sleep_forever()


async def test_an_answer_that_was_sent_was_not_left(server: Server, house: FakeHouse) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        await client.get("/v1/models")
        await client.post("/asr", content=asr_form(), headers=HEADERS)
        await client.head("/health")
    assert "asr_abandoned_total{" not in house.metrics.render()[0].decode()


@pytest.mark.parametrize(
    ("headers", "body", "left"),
    [
        ([(b"content-length", b"4")], b"done", False),
        ([(b"Content-Length", b"9")], b"done", True),
        ([], b"data: [DONE]\n\n", False),  # a stream has no length: all of it is out all the same
    ],
)
async def test_who_goes_with_the_whole_answer_before_its_full_stop_has_not_left_it(
    house: FakeHouse, headers: list[tuple[bytes, bytes]], body: bytes, left: bool
) -> None:
    told: list[Trail] = []
    with trio.CancelScope() as connection:

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": body, "more_body": True})
            if left:
                await trio.lowlevel.checkpoint()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def send(message: Any) -> None:
            await trio.lowlevel.checkpoint()
            if message.get("body"):
                connection.cancel()

        edge = Edge(app, door=Door(), metrics=house.metrics, told=told.append)
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "state": {}}
        await edge(scope, trio.sleep_forever, send)
    assert connection.cancelled_caught
    assert told[0].left_in is None
    assert ("asr_abandoned_total{" in house.metrics.render()[0].decode()) == left
