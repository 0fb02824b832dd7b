from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from asr.actors.sweeper import run_sweeper
from tests.fakes import pass_time


@dataclass
class Owner:
    """Notes when it was asked, and takes its time to answer."""

    takes_s: float = 0.0
    asked: list[tuple[float, float]] = field(default_factory=list)

    async def drop_idle(self, older_than_s: float, /) -> None:
        self.asked.append((trio.current_time(), older_than_s))
        await pass_time(self.takes_s)


async def test_each_owner_is_asked_each_period(autojump_clock: MockClock) -> None:
    gpu, listener = Owner(takes_s=5), Owner()
    began = trio.current_time()
    with trio.move_on_after(140):
        await run_sweeper([gpu, listener], idle_s=300, every_s=60)
    # at 60, and 60 after the first round of 5 s was done
    assert [(at - began, idle) for at, idle in gpu.asked] == [(60, 300), (125, 300)]
    assert [(at - began, idle) for at, idle in listener.asked] == [(65, 300), (130, 300)]


async def test_an_idle_time_of_zero_means_never(autojump_clock: MockClock) -> None:
    owner = Owner()
    with trio.move_on_after(3600):
        await run_sweeper([owner], idle_s=0, every_s=60)
    assert owner.asked == []


async def test_it_is_up_before_the_first_period_has_passed(autojump_clock: MockClock) -> None:
    began = trio.current_time()
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(run_sweeper, [Owner()], idle_s=300, every_s=60))
        assert trio.current_time() == began
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("idle_s", [0.0, 300.0])
async def test_what_was_freed_is_returned_each_period(
    autojump_clock: MockClock, idle_s: float
) -> None:
    returned: list[float] = []
    began = trio.current_time()

    async def return_freed() -> None:
        returned.append(trio.current_time() - began)

    with trio.move_on_after(130):
        await run_sweeper([Owner()], idle_s=idle_s, every_s=60, return_freed=return_freed)
    assert returned == [60, 120]
