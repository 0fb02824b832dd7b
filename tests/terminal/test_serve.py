import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.pipeline.errors import EngineRestarted, ModelUnavailable
from asr.terminal.serve import Premises, ready, serve_premises
from tests.terminal.fakes import FakeHouse, FakeModels

if TYPE_CHECKING:
    from asr.actors.any_house import AnyHouse

LONG_S = 3600.0


@asynccontextmanager
async def premises(house: FakeHouse) -> AsyncIterator[Premises]:
    async with house.opened() as opened:
        yield Premises(opened)


async def front(
    _premises: Premises,
    *,
    stop: trio.Event,
    task_status: trio.TaskStatus[list[str]],
    events: list[str],
) -> None:
    """A front desk that drains at once."""
    events.append("front opens")
    task_status.started(["http://127.0.0.1:9001"])
    await stop.wait()
    events.append("front drained")


async def test_it_serves_once_the_model_is_there_and_closes_in_reverse(
    capsys: pytest.CaptureFixture[str],
) -> None:
    house = FakeHouse(preloading=trio.Event())
    desk = partial(front, events=house.events)
    codes: list[int] = []

    async def run() -> None:
        codes.append(await serve_premises(premises(house), desk, patience_s=LONG_S))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        assert (house.events, capsys.readouterr().out) == (["open", "preload base"], "")
        assert house.preloading is not None
        house.preloading.set()
        await wait_all_tasks_blocked()
        assert capsys.readouterr().out.startswith("Ready on http://127.0.0.1:9001 with model base")
        os.kill(os.getpid(), signal.SIGTERM)
    assert codes == [0]
    assert house.events == ["open", "preload base", "front opens", "front drained", "closed"]


@pytest.mark.parametrize(("hung", "code"), [(False, 70), (True, 71)])
async def test_a_house_that_falls_down_drains_and_says_so_in_its_exit_code(
    hung: bool, code: int
) -> None:
    house = FakeHouse()
    codes: list[int] = []

    async def run() -> None:
        desk = partial(front, events=house.events)
        codes.append(await serve_premises(premises(house), desk, patience_s=LONG_S))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        house.break_down(hung=hung)
    assert (codes, house.events[-2:]) == ([code], ["front drained", "closed"])


async def test_a_house_that_falls_down_while_the_model_loads_has_that_exit_code() -> None:
    class Hanging(FakeHouse):
        async def preload(self, name: str) -> None:
            self.break_down(hung=True)
            raise EngineRestarted

    house = Hanging()
    desk = partial(front, events=house.events)
    assert await serve_premises(premises(house), desk, patience_s=LONG_S) == 71
    assert house.events[-1] == "closed"


async def test_a_signal_while_the_model_loads_ends_it_without_opening() -> None:
    house = FakeHouse(preloading=trio.Event())
    codes: list[int] = []

    async def run() -> None:
        desk = partial(front, events=house.events)
        codes.append(await serve_premises(premises(house), desk, patience_s=LONG_S))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(run)
        await wait_all_tasks_blocked()
        os.kill(os.getpid(), signal.SIGINT)
    assert (codes, house.events) == ([0], ["open", "preload base", "closed"])


async def test_a_model_that_cannot_be_had_means_no_service() -> None:
    class Offline(FakeHouse):
        async def preload(self, name: str) -> None:
            raise ModelUnavailable("offline")

    house = Offline()
    desk = partial(front, events=house.events)
    with pytest.RaisesGroup(ModelUnavailable, flatten_subgroups=True):
        await serve_premises(premises(house), desk, patience_s=LONG_S)
    assert house.events == ["open", "closed"]


def test_the_ready_line_says_where_with_what_and_on_what() -> None:
    house = cast("AnyHouse", FakeHouse(models=FakeModels(preload=None)))
    assert ready(house, ["http://127.0.0.1:1", "http://[::1]:1"]) == (
        "Ready on http://127.0.0.1:1 and http://[::1]:1 with model base, which loads at its first "
        "use, on cpu in float32.\n"
        "Try: curl -F audio_file=@speech.mp3 'http://127.0.0.1:1/asr?output=txt'\n"
    )
