import pytest
import trio

from tests.actors.fake_engine import Script
from tests.actors.room import Room
from tests.fakes import FakeThread


@pytest.fixture
def script() -> Script:
    return Script()


@pytest.fixture
async def room(nursery: trio.Nursery, script: Script, thread: FakeThread) -> Room:
    room = Room(script, thread)
    await room.open(nursery)
    return room
