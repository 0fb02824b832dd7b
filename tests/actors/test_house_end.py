from pathlib import Path

import trio
from trio.testing import MockClock

from tests.actors.home import Home


async def test_the_engines_thread_is_left_once_when_the_house_closes(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    home = Home(tmp_path)
    async with home.open(autojump_clock):
        assert home.left == 0
    assert home.left == 1


async def test_it_is_left_also_when_the_house_is_cancelled(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    home = Home(tmp_path)
    with trio.CancelScope() as scope:
        async with home.open(autojump_clock):
            scope.cancel()
            await trio.sleep_forever()
    assert home.left == 1
