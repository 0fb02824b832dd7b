"""Who the client is, whatever it wrote into the headers itself."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest
import trio
from quart import request

from asr.actors.metrics import Metrics
from asr.http.app import create_app
from asr.http.door import Door
from asr.http.edge import Edge
from asr.http.keys import client_of
from asr.http.proxies import forwarded
from asr.http.server import serve
from tests.http.fakes import FakeHouse, FakeReceiver, as_house
from tests.http.wire import FORM_TYPE, asr_form, form

if TYPE_CHECKING:
    from pathlib import Path

    from asr.http.edge import App
    from asr.http.settings import HttpSettings
    from asr.pipeline.types import Transcript


@dataclass
class AskedBy(FakeHouse):
    """Notes on whose behalf it was asked."""

    clients: list[str] = field(default_factory=list)

    async def transcribe(self, *args: Any, client: str = "", **more: Any) -> Transcript:
        self.clients.append(client)
        return await super().transcribe(*args, client=client, **more)


@pytest.fixture
def house(tmp_path: Path) -> AskedBy:
    return AskedBy(FakeReceiver(tmp_path))


def told(hops: int, *elements: str, proto: str = "") -> dict[str, Any]:
    headers = [(b"X-Forwarded-For", element.encode()) for element in elements]
    return forwarded([*headers, (b"x-forwarded-proto", proto.encode())], hops=hops)


@pytest.mark.parametrize(
    ("hops", "elements", "client"),
    [
        (1, ["203.0.113.7"], "203.0.113.7"),
        (1, ["10.0.0.1, 203.0.113.7"], "203.0.113.7"),  # the first one is forged
        (1, ["10.0.0.1", "203.0.113.7"], "203.0.113.7"),  # in a header of its own, too
        (2, ["10.0.0.1, 203.0.113.7 ,192.0.2.1"], "203.0.113.7"),
        (2, ["10.0.0.1", "203.0.113.7", "192.0.2.1"], "203.0.113.7"),
        (2, ["10.0.0.1, 203.0.113.7", "192.0.2.1"], "203.0.113.7"),
        (3, ["203.0.113.7, , 192.0.2.1"], "203.0.113.7"),
    ],
)
def test_the_client_is_as_far_from_the_right_as_there_are_proxies(
    hops: int, elements: list[str], client: str
) -> None:
    assert told(hops, *elements) == {"client": (client, 0)}


@pytest.mark.parametrize(
    ("hops", "elements"),
    [
        (0, ["203.0.113.7"]),  # nobody is believed
        (1, []),
        (2, ["203.0.113.7"]),  # it came past one of the two
        (2, ["10.0.0.1, , 192.0.2.1"]),  # what is forged does not move up
        (1, ["10.0.0.1, unknown"]),
        (1, ["10.0.0.1, _hidden"]),
        (1, ["203.0.113.7, 256.1.1.1"]),
        (1, ["fe80::1%eth0"]),
        (1, ["[2001:db8::1"]),
        (1, ["203.0.113.7:http"]),
        (1, ["\xff\x00"]),
    ],
)
def test_junk_and_shortcuts_leave_the_peer_as_it_is(hops: int, elements: list[str]) -> None:
    assert told(hops, *elements, proto="https, https") == {}


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.7:4711", "203.0.113.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_an_address_has_one_spelling(text: str, address: str) -> None:
    assert told(1, text) == {"client": (address, 0)}


@pytest.mark.parametrize(
    ("hops", "proto", "scheme"),
    [
        (1, "https", {"scheme": "https"}),
        (1, "http, HTTPS", {"scheme": "https"}),
        (2, "https, http", {"scheme": "https"}),
        (2, "https", {}),  # whose that is nobody knows
        (1, "https, gopher", {}),
        (1, "", {}),
    ],
)
def test_the_scheme_is_that_of_the_same_hop(hops: int, proto: str, scheme: dict[str, str]) -> None:
    addresses = "203.0.113.7, 192.0.2.1"
    client = addresses.split(", ")[-hops]
    assert told(hops, addresses, proto=proto) == {"client": (client, 0), **scheme}


@pytest.mark.parametrize(
    ("hops", "seen"), [(0, ["192.0.2.1", "http"]), (1, ["203.0.113.7", "https"])]
)
async def test_the_app_sees_what_the_proxies_tell(
    house: FakeHouse, settings: HttpSettings, hops: int, seen: list[str]
) -> None:
    app = create_app(as_house(house), settings)
    looks: list[str] = []

    @app.before_request
    async def look() -> None:
        looks.extend([client_of(request), request.scheme])

    edge = Edge(cast("App", app), door=Door(), metrics=Metrics(), proxy_hops=hops)
    transport = httpx.ASGITransport(cast("Any", edge), client=("192.0.2.1", 5))
    async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        headers = {
            "X-Forwarded-For": "10.0.0.1, 203.0.113.7",
            "X-Forwarded-Proto": "https",
            "Remote-Addr": "10.0.0.1",
        }
        assert (await client.get("/health", headers=headers)).status_code == 200
    assert looks == seen


async def test_the_queue_hears_of_the_client_behind_the_proxy(
    house: AskedBy, settings: HttpSettings, nursery: trio.Nursery
) -> None:
    stop = trio.Event()
    behind = replace(settings, proxy_hops=1)
    open_front = partial(serve, as_house(house), behind, stop=stop, drain_s=0)
    urls: list[str] = await nursery.start(open_front)
    headers = {"Content-Type": FORM_TYPE, "X-Forwarded-For": "10.0.0.1, 203.0.113.7"}
    async with httpx.AsyncClient(base_url=urls[0]) as client:
        for path, body in (("/asr", asr_form()), ("/v1/audio/transcriptions", form())):
            assert (await client.post(path, content=body, headers=headers)).status_code == 200
    assert house.clients == ["203.0.113.7", "203.0.113.7"]
    stop.set()
