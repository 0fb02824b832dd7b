"""The server on a terminal: from an open house to its end, by way of a ready line."""

import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import trio

from asr.actors.any_house import AnyHouse
from asr.actors.jobs.register import Register
from asr.pipeline.errors import EngineRestarted
from asr.terminal.exits import DONE, HUNG, INTERNAL
from asr.terminal.signals import end_after, watch_signals


@dataclass(frozen=True, slots=True)
class Premises:
    """What a front desk stands before: a house, and the register of its jobs if it has one."""

    house: AnyHouse
    jobs: Register | None = None


async def stand_by(
    _premises: Premises, *, stop: trio.Event, task_status: trio.TaskStatus[list[str]]
) -> None:
    """No front desk: what is done here is asked for elsewhere."""
    task_status.started([])
    await stop.wait()


class Front(Protocol):
    """The front desk: reports its URLs when it is open, and returns when it has drained."""

    async def __call__(
        self, premises: Premises, /, *, stop: trio.Event, task_status: trio.TaskStatus[list[str]]
    ) -> None: ...


async def serve_premises(
    premises: AbstractAsyncContextManager[Premises], front: Front, *, patience_s: float
) -> int:
    """Serve until a signal comes and everything accepted is done, or the house falls down."""
    stop = trio.Event()
    async with trio.open_nursery() as nursery:
        await nursery.start(
            partial(watch_signals, lambda _number: stop.set(), patience_s=patience_s)
        )
        async with premises as opened:
            house = opened.house
            nursery.start_soon(partial(_stop_when_broken, house, stop, patience_s=patience_s))
            await _unless(stop, partial(_preload, house))
            if not stop.is_set():
                await _open_front(opened, front, stop)
            code = _code(house)
        nursery.cancel_scope.cancel()
    return code


async def _stop_when_broken(house: AnyHouse, stop: trio.Event, *, patience_s: float) -> None:
    """What is left can still answer why: so the end is a drain here, too, and within a time."""
    await house.wait_broken()
    end_after(patience_s, _code(house))
    stop.set()


def _code(house: AnyHouse) -> int:
    if house.broken() is None:
        return DONE
    return HUNG if house.hung else INTERNAL


async def _open_front(premises: Premises, front: Front, stop: trio.Event) -> None:
    async with trio.open_nursery() as nursery:
        urls = await nursery.start(partial(front, premises, stop=stop))
        sys.stdout.write(ready(premises.house, urls))
        sys.stdout.flush()


async def _preload(house: AnyHouse) -> None:
    """Nothing is accepted before the model is there, and no model means no service."""
    if house.models.preload is None:
        return
    try:
        await house.preload(house.models.preload)
    except EngineRestarted:
        if house.broken() is None:  # else that is why, and it is told as such
            raise


async def _unless(stop: trio.Event, work: Callable[[], Awaitable[None]]) -> None:
    """Do the work, or leave it when told to stop."""
    async with trio.open_nursery() as nursery:

        async def leave() -> None:
            await stop.wait()
            nursery.cancel_scope.cancel()

        nursery.start_soon(leave)
        await work()
        nursery.cancel_scope.cancel()


def ready(house: AnyHouse, urls: list[str]) -> str:
    """The line that says where, with what, on what; and one to try it with."""
    if not urls:
        return f"Ready to work, on {house.device} in {house.compute_type}.\n"
    when = "" if house.models.preload is not None else ", which loads at its first use"
    return (
        f"Ready on {' and '.join(urls)} with model {house.models.default}{when}, "
        f"on {house.device} in {house.compute_type}.\n"
        f"Try: curl -F audio_file=@speech.mp3 '{urls[0]}/asr?output=txt'\n"
    )
