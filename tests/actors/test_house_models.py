"""Models that clients have loaded and freed: in their turn, like everything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.messages import Unloaded
from asr.pipeline.errors import Busy, DeadlineExceeded
from tests.actors.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    import trio


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


async def test_a_model_is_loaded_once_and_freed_once(home: Home, mock_clock: MockClock) -> None:
    async with home.open(mock_clock) as house:
        assert await house.load("base")
        assert not await house.load("base")
        assert [model.name for model in house.loaded_models()] == ["base"]
        assert await house.unload("base") is Unloaded.FREED
        assert await house.unload("base") is Unloaded.ABSENT
        assert house.loaded_models() == ()
        assert house.queue_stats().running == 0


async def test_who_loads_has_a_place_like_any_request(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    loaded: list[bool] = []

    async def load() -> None:
        loaded.append(await house.load("base"))

    async with home.open(mock_clock) as house:
        home.gpu.hold()
        await home.come(nursery, "a", "b")
        nursery.start_soon(load)
        await wait_all_tasks_blocked()
        assert (house.queue_stats().waiting, loaded) == (1, [])
        with pytest.raises(Busy):
            await house.load("base")
        home.gpu.release()
        await wait_all_tasks_blocked()
        assert loaded == [False]  # by the others, meanwhile


async def test_who_waits_for_too_long_hears_so(home: Home, autojump_clock: MockClock) -> None:
    async with home.open(autojump_clock) as house:
        home.gpu.hold()
        with pytest.raises(DeadlineExceeded):
            await house.load("base")
        assert house.queue_stats().running == 0
        home.gpu.release()
