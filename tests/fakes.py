"""Honest stand-ins, small enough to be seen through."""

from collections.abc import Callable
from typing import TypeVar, TypeVarTuple

import trio

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class Gate:
    """Open, until a test holds what is behind it; then closed until it is released."""

    def __init__(self) -> None:
        self._free = trio.Event()
        self._free.set()

    def hold(self) -> None:
        self._free = trio.Event()

    def release(self) -> None:
        self._free.set()


class FakeThread(Gate):
    """Runs calls inline, one after the other; hold() keeps it busy until release()."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0
        self._turn = trio.Lock()

    async def __call__(self, fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
        """As a real thread: a call that has its turn is waited for, even under cancellation."""
        async with self._turn:
            with trio.CancelScope(shield=True):
                await self._free.wait()
            self.calls += 1
            return fn(*args)


async def pass_time(seconds: float) -> None:
    """Let the mock clock run: everybody else does what is due until then."""
    with trio.move_on_after(seconds):
        await trio.sleep_forever()
