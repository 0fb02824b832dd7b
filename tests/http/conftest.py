"""A fake house, and the front desk before it: in memory, or on a real socket."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from asr.http.app import create_app
from asr.http.reference.document import openapi
from asr.http.server import serve
from asr.http.settings import HttpSettings
from tests.http.fakes import FakeHouse, FakeReceiver, as_house
from tests.http.promises import Promises
from tests.http.registers import FakeRegister, as_register
from tests.http.wire import Server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from quart.typing import TestClientProtocol


@pytest.fixture
def house(tmp_path: Path) -> FakeHouse:
    return FakeHouse(FakeReceiver(tmp_path))


# Long enough for a client and a server that share an event loop on a busy machine; a test of what
# happens when one of these times is over has a shorter one.
@pytest.fixture
def keep_alive_s() -> float:
    return 5.0


@pytest.fixture
def connections_max() -> int:
    return 1000


@pytest.fixture
def linger_s() -> float:
    return 5.0


@pytest.fixture
def write_timeout_s() -> float:
    return 5.0


@pytest.fixture
def drain_s() -> float:
    return 30.0


@pytest.fixture
def settings(
    keep_alive_s: float, connections_max: int, linger_s: float, write_timeout_s: float
) -> HttpSettings:
    return HttpSettings(
        port=0,
        write_timeout_s=write_timeout_s,
        linger_s=linger_s,
        keep_alive_s=keep_alive_s,
        connections_max=connections_max,
        body_chunk_timeout_s=20,
    )


@pytest.fixture
def client(house: FakeHouse, settings: HttpSettings) -> TestClientProtocol:
    return create_app(as_house(house), settings).test_client()


@pytest.fixture
def register() -> FakeRegister:
    return FakeRegister()


@pytest.fixture
def desk(house: FakeHouse, settings: HttpSettings, register: FakeRegister) -> TestClientProtocol:
    """A front desk where jobs are kept."""
    return create_app(as_house(house), settings, jobs=as_register(register)).test_client()


@pytest.fixture
def promises() -> Promises:
    return Promises(openapi("1", keyed=False))


@pytest.fixture
async def server(
    house: FakeHouse,
    settings: HttpSettings,
    drain_s: float,
    register: FakeRegister,
    nursery: trio.Nursery,
) -> AsyncIterator[Server]:
    stop, gone = trio.Event(), trio.Event()

    async def run(*, task_status: trio.TaskStatus[list[str]]) -> None:
        await serve(
            as_house(house),
            settings,
            stop=stop,
            drain_s=drain_s,
            jobs=as_register(register),
            task_status=task_status,
        )
        gone.set()

    urls: list[str] = await nursery.start(partial(run))
    yield Server(urls[0], stop, gone)
    house.release()
    stop.set()
    with trio.fail_after(10):
        await gone.wait()
