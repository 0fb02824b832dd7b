import gc
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from tests.actors.fake_engine import Script
from tests.actors.room import Room
from tests.actors.walk import Walk
from tests.actors.workshop import Workshop
from tests.fakes import FakeThread


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def room(nursery: trio.Nursery, script: Script, thread: FakeThread) -> Room:
    room = Room(script, thread)
    await room.open(nursery)
    return room


@pytest.fixture
async def walk(room: Room, nursery: trio.Nursery, thread: FakeThread, tmp_path: Path) -> Walk:
    walk = Walk(room, tmp_path)
    await walk.open(nursery, thread)
    return walk


@pytest.fixture
async def shop(nursery: trio.Nursery, thread: FakeThread) -> Workshop:
    shop = Workshop(thread)
    await shop.open(nursery)
    return shop


@pytest.fixture
def no_chance_collection() -> Iterator[None]:
    """Nothing is collected but when it is asked for."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
