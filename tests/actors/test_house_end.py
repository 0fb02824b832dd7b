from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import trio
from trio.testing import MockClock

from asr.actors.thread import LEAVING_S
from tests.actors.home import Home
from tests.fakes import FakeThread

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


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


class Wedged(FakeThread):
    """Its first call returns, and no other; who has to leave need not wait for it."""

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        if self.calls:
            await trio.sleep_forever()
        return await super().__call__(fn, *args)


async def test_a_last_call_that_never_returns_is_not_waited_for(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    home = Home(tmp_path)
    home.threads.named["gpu"] = Wedged()
    async with home.open(autojump_clock):
        began_s = trio.current_time()
    assert (home.left, trio.current_time() - began_s) == (0, LEAVING_S)
