"""What becomes of those who need a thread that hangs."""

import threading
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.thread import LOOKS, Hung, open_thread
from asr.pipeline.errors import EngineRestarted
from tests.actors.home import Home
from tests.actors.workshop import Workshop, at_work
from tests.fakes import FakeThread, pass_time


async def test_a_vital_one_breaks_the_house_and_everybody_hears_so(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop.script.faults["b1"] = Hung("worker")
    thread.hold()
    nursery.start_soon(shop.worker.warm)
    await at_work(nursery, shop, ("a", 2), ("b", 2), ("c", 1))
    thread.release()
    await wait_all_tasks_blocked()
    restarted = "EngineRestarted"
    assert shop.said() == {"a": f"a1 {restarted}", "b": restarted, "c": restarted}
    assert (shop.health.fault, shop.health.hung) == ("the worker actor hangs", True)
    await pass_time(1000)
    assert shop.script.made == 1
    await shop.ask("later")
    assert shop.said()["later"] == "EngineRestarted"


async def test_without_one_that_is_not_vital_the_house_goes_on(
    thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop = Workshop(thread, vital=False)
    await shop.open(nursery)
    shop.script.faults["a1"] = Hung("worker")
    thread.hold()
    await at_work(nursery, shop, ("a", 2), ("b", 2))
    thread.release()
    await pass_time(1000)
    await shop.ask("later")
    assert set(shop.said().values()) == {"EngineRestarted"}
    with pytest.raises(EngineRestarted):
        await shop.worker.warm()
    await shop.worker.drop_idle(0)
    assert (shop.health.degraded, shop.health.fault) == (("worker",), None)
    assert (shop.script.made, shop.worker.trouble) == (1, "is out of order")


@pytest.mark.parametrize("crashed_before", [False, True])
async def test_an_engine_that_hangs_is_not_tried_again(
    tmp_path: Path, nursery: trio.Nursery, autojump_clock: MockClock, crashed_before: bool
) -> None:
    home = Home(tmp_path)
    async with home.open(autojump_clock) as house:
        crash = [MemoryError()] if crashed_before else []  # who was in it is suspected from here on
        home.script.faults["advance"] = [*crash, Hung("gpu")]
        home.gpu.hold()
        await home.come(nursery, "a", "b", "c")
        home.gpu.release()
        await house.wait_broken()
        await wait_all_tasks_blocked()
        await home.ask("later")
        assert home.heard == dict.fromkeys(["a", "b", "c", "later"], "EngineRestarted")
        assert (house.broken(), house.hung) == ("the gpu actor hangs", True)
        assert home.script.made == 1 + crashed_before
        assert b'asr_actor_up{actor="gpu"} 0.0' in home.metrics.render()[0]
        assert b'asr_actor_up{actor="listener"} 1.0' in home.metrics.render()[0]
    assert home.scratch_files() == []


async def test_a_process_that_was_stopped_for_a_while_is_not_taken_for_one_that_hangs(
    mock_clock: MockClock,
) -> None:
    heard: list[str] = []

    go_on = threading.Event()

    async def call() -> None:
        with pytest.raises(Hung):
            await in_thread(go_on.wait)
        heard.append("hung")

    async with open_thread("gpu", patience_s=100) as in_thread, trio.open_nursery() as nursery:
        nursery.start_soon(call)
        for seconds in (3600.0, *[100 / LOOKS] * (LOOKS - 1)):
            await wait_all_tasks_blocked()
            assert heard == []
            mock_clock.jump(seconds)
        await wait_all_tasks_blocked()
        assert heard == ["hung"]
        go_on.set()
