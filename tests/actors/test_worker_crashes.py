"""What a crash of a worker's tool costs, and whom."""

from collections.abc import Callable
from contextlib import suppress

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.thread import open_thread
from asr.actors.workbench import run_worker
from asr.actors.worker import open_worker
from asr.pipeline.errors import EngineRestarted, ModelUnavailable
from tests.actors.fakes import step
from tests.actors.workshop import Job, Office, Script, ScriptedTool, Workshop, at_work, told
from tests.fakes import FakeThread, pass_time


@pytest.mark.parametrize(
    ("where", "heard"),
    [
        ("load", "EngineRestarted"),
        ("begin a", "EngineRestarted"),
        ("a1", "EngineRestarted"),
        ("a2", "a1 EngineRestarted"),
    ],
)
async def test_it_costs_the_job_that_was_at_work_and_no_other(
    shop: Workshop,
    thread: FakeThread,
    nursery: trio.Nursery,
    autojump_clock: MockClock,
    where: str,
    heard: str,
) -> None:
    shop.script.faults[where] = MemoryError()
    thread.hold()
    await at_work(nursery, shop, ("a", 2), ("b", 2), ("c", 1))
    thread.release()
    await pass_time(2)
    assert shop.said() == {"a": heard, "b": "b1 b2 end", "c": "c1 end"}
    assert shop.script.made == 2


async def test_the_others_begin_afresh_and_hear_nothing_twice(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop.script.faults = {"a3": MemoryError(), "c3": MemoryError()}
    thread.hold()
    nursery.start_soon(shop.worker.warm)
    await at_work(nursery, shop, ("a", 9), ("b", 4), ("c", 9))
    thread.release()
    await pass_time(3)
    first = ["load", "a1", "b1", "c1", "a2", "b2", "c2"]
    second = ["load", "b1", "c1", "b2", "c2", "b3"]
    third = ["load", "b1", "b2", "b3", "b4"]
    assert shop.script.record == [*first, *second, *third]
    assert shop.said() == {
        "a": "a1 a2 EngineRestarted",
        "b": "b1 b2 b3 b4 end",
        "c": "c1 c2 EngineRestarted",
    }


async def test_what_had_been_answered_before_can_still_be_read(
    shop: Workshop, autojump_clock: MockClock
) -> None:
    shop.script.faults["a3"] = MemoryError()
    heard: list[str] = []
    async with shop.worker.ask(Job("a", 3), answers_max=3) as answers:
        await pass_time(10)
        with pytest.raises(EngineRestarted):
            await told(answers, heard)
    assert heard == ["a1", "a2"]


async def test_unread_mail_survives(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop.script.faults["a1"] = MemoryError()
    thread.hold()
    await at_work(nursery, shop, ("a", 1))
    thread.release()
    await pass_time(0.5)  # nobody reads it now
    await at_work(nursery, shop, ("b", 1))
    assert shop.said() == {"a": "EngineRestarted", "b": ""}
    await pass_time(1)
    assert shop.said() == {"a": "EngineRestarted", "b": "b1 end"}


async def test_a_crash_of_who_warms_costs_nobody_a_job(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop.script.faults["load"] = MemoryError()
    thread.hold()
    with pytest.RaisesGroup(EngineRestarted):
        async with trio.open_nursery() as warmer:
            warmer.start_soon(shop.worker.warm)
            await at_work(nursery, shop, ("a", 1))
            thread.release()
    await pass_time(2)
    assert shop.said() == {"a": "a1 end"}


async def test_who_left_meanwhile_does_not_begin_afresh(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop.script.faults["a2"] = MemoryError()
    thread.hold()
    nursery.start_soon(shop.worker.warm)
    await at_work(nursery, shop, ("a", 2))
    async with trio.open_nursery() as askers:
        await at_work(askers, shop, ("b", 2))
        for _ in range(3):  # the load, a1, b1
            await step(thread)
        askers.cancel_scope.cancel()
    thread.release()
    await pass_time(2)
    assert (shop.script.record, shop.script.made) == (["load", "a1", "b1"], 1)


async def test_a_file_that_is_missing_under_who_waits_is_a_crash(
    shop: Workshop, autojump_clock: MockClock
) -> None:
    shop.script.faults["a1"] = FileNotFoundError()
    await shop.ask("a")
    await shop.ask("b")
    assert (shop.said(), shop.script.made) == ({"a": "EngineRestarted", "b": "b1 end"}, 2)


async def test_more_answers_than_there_is_room_for_are_a_crash(
    shop: Workshop, autojump_clock: MockClock
) -> None:
    heard: list[str] = []
    async with shop.worker.ask(Job("a", 1000), answers_max=2) as answers:
        await wait_all_tasks_blocked()
        with pytest.raises(EngineRestarted):
            await told(answers, heard)
    assert heard == ["a1", "a2", "a3"]
    await shop.ask("b")
    assert (shop.said(), shop.script.made) == ({"b": "b1 end"}, 2)


async def test_down_for_good_everybody_hears_so(
    thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop = Workshop(thread, mail_max=1)
    await shop.open(nursery)
    names = ["a", "b", "c", "d"]  # three crashes are borne
    shop.script.faults = {f"{name}1": MemoryError() for name in names}
    thread.hold()
    nursery.start_soon(shop.worker.warm)
    await at_work(nursery, shop, *((name, 2) for name in names), ("kept", 2), ("unread", 2))
    thread.release()
    await pass_time(3.5)  # the pauses between crashes
    assert shop.health.fault == "the worker actor is down for good"
    assert set(shop.said().values()) == {"EngineRestarted"}
    await shop.ask("later")
    assert shop.said()["later"] == "EngineRestarted"
    with pytest.raises(EngineRestarted):
        await shop.worker.warm()
    await shop.worker.drop_idle(0)


async def test_who_is_not_vital_is_never_given_up_and_each_crash_costs_one_job(
    thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    shop = Workshop(thread, vital=False)
    await shop.open(nursery)
    shop.script.faults = {f"bad{number}x1": MemoryError() for number in range(40)}
    thread.hold()
    nursery.start_soon(shop.worker.warm)
    await at_work(nursery, shop, ("good", 2), *((f"bad{number}x", 1) for number in range(40)))
    thread.release()
    await pass_time(39.5)  # a second's pause after each crash
    assert shop.script.made == 40
    await pass_time(1)
    assert shop.said().pop("good") == "good1 good2 end"
    assert [*shop.said().values()].count("EngineRestarted") == 40
    assert not shop.health.broken.is_set()


async def test_at_the_end_of_the_house_nobody_waits_on(
    thread: FakeThread, nursery: trio.Nursery
) -> None:
    shop = Workshop(thread)
    thread.hold()
    async with trio.open_nursery() as house:
        await shop.open(house)
        await at_work(nursery, shop, ("at work", 2), ("unread", 2))
        house.cancel_scope.cancel()
        thread.release()  # a step that has begun is waited for
    await wait_all_tasks_blocked()
    assert shop.said() == {"at work": "at work1 EngineRestarted", "unread": "EngineRestarted"}


FAULTS: dict[str, Callable[[], Exception]] = {
    "crash": MemoryError,
    "error": lambda: ModelUnavailable("the hub is down"),
}
JOBS = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from([None, *FAULTS]), st.integers(0, 5)), max_size=8
)


@given(JOBS)
def test_whatever_happens_everybody_hears_its_own_answers_once_and_in_order(
    jobs: list[tuple[int, str | None, int]],
) -> None:
    async def run() -> Workshop:
        shop = Workshop(FakeThread(), vital=False)
        for number, (_, fault, at) in enumerate(jobs):
            if fault:
                shop.script.faults[f"{number}x{at}"] = FAULTS[fault]()
        async with trio.open_nursery() as nursery:
            await shop.open(nursery)
            async with trio.open_nursery() as askers:
                for number, (steps, _, _) in enumerate(jobs):
                    askers.start_soon(shop.ask, f"{number}x", steps)
            nursery.cancel_scope.cancel()
        return shop

    shop = trio.run(run, clock=MockClock(autojump_threshold=0))
    ends = {None: "end", "crash": "EngineRestarted", "error": "ModelUnavailable"}
    for number, (steps, fault, at) in enumerate(jobs):
        stumbles = fault is not None and 1 <= at <= steps
        told = at - 1 if stumbles else steps
        answers = [f"{number}x{step + 1}" for step in range(told)]
        assert shop.heard[f"{number}x"] == [*answers, ends[fault if stumbles else None]]


@pytest.mark.usefixtures("no_chance_collection")
async def test_a_crashed_tool_is_gone_before_the_next_one_is_made() -> None:
    """On a real thread, as only that ties the tool into a cycle; so without the mock clock."""
    script = Script(faults={"a1": MemoryError()})
    alive: list[int] = []

    def make() -> ScriptedTool:
        alive.append(len(script.alive))
        return script.tool()

    worker, intake = open_worker(Office, 1)

    async def run() -> None:
        with suppress(MemoryError):
            await run_worker(intake, make, thread)
        await run_worker(intake, make, thread)

    async with open_thread("worker", patience_s=60) as thread, trio.open_nursery() as nursery:
        nursery.start_soon(run)
        async with worker.ask(Job("a", 1), answers_max=1) as answers:
            with pytest.raises(EngineRestarted):
                await anext(answers)
        await worker.warm()
        nursery.cancel_scope.cancel()
    assert alive == [0, 0]
