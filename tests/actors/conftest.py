from pathlib import Path

import pytest
import trio

from tests.actors.fake_engine import Script
from tests.actors.room import Room
from tests.actors.walk import Walk
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
