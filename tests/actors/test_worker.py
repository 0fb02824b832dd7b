import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.workbench import run_worker
from asr.actors.worker import open_worker
from asr.pipeline.errors import ModelUnavailable
from tests.actors.fakes import step
from tests.actors.workshop import Job, Office, Script, ScriptedTool, Workshop, at_work
from tests.fakes import FakeThread, pass_time


async def test_it_loads_at_the_first_need_and_answers_step_by_step(shop: Workshop) -> None:
    assert (shop.script.made, shop.script.record) == (0, [])
    await shop.ask("a", 2)
    await shop.ask("b", 1)
    assert shop.said() == {"a": "a1 a2 end", "b": "b1 end"}
    assert (shop.script.made, shop.script.record) == (1, ["load", "a1", "a2", "b1"])


async def test_what_needs_no_step_has_no_answer_and_an_end(shop: Workshop) -> None:
    await shop.ask("a", 0)
    assert shop.said() == {"a": "end"}


async def test_warm_loads_before_anybody_asks(shop: Workshop) -> None:
    await shop.worker.warm()
    await shop.worker.warm()
    assert shop.script.record == ["load"]


async def test_a_long_job_does_not_starve_a_short_one(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, shop, ("long", 4), ("short", 2))
    thread.release()
    await wait_all_tasks_blocked()
    assert shop.script.record == ["load", "long1", "long2", "short1", "long3", "short2", "long4"]


async def test_three_take_turns_and_who_is_done_leaves_the_others_theirs(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    nursery.start_soon(shop.worker.warm)
    await at_work(nursery, shop, ("a", 3), ("b", 1), ("c", 2))
    thread.release()
    await wait_all_tasks_blocked()
    assert shop.script.record == ["load", "a1", "b1", "c1", "a2", "c2", "a3"]


async def test_what_cannot_begin_yet_lets_others_go_on_and_begins_when_it_can(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    shop.script.refusals["b"] = 2
    await at_work(nursery, shop, ("a", 3), ("b", 1))
    thread.release()
    await wait_all_tasks_blocked()
    assert shop.script.record == ["load", "a1", "a2", "a3", "b1"]
    assert shop.said() == {"a": "a1 a2 a3 end", "b": "b1 end"}


async def test_answers_that_nobody_has_looked_at_wait(shop: Workshop) -> None:
    async with shop.worker.ask(Job("a", 2), answers_max=2) as answers:
        assert not answers.waiting
        await wait_all_tasks_blocked()
        assert answers.waiting
        assert [answer async for answer in answers] == ["a1", "a2"]
        assert not answers.waiting


# Who leaves.


@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_who_leaves_is_worked_for_no_longer_than_the_step_it_is_at(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery, steps: int
) -> None:
    thread.hold()
    async with trio.open_nursery() as asker:
        await at_work(asker, shop, ("film", 1000))
        for _ in range(steps):
            await step(thread)
        asker.cancel_scope.cancel()
    await at_work(nursery, shop, ("next", 1))
    thread.release()
    await wait_all_tasks_blocked()
    seen = [f"film{number + 1}" for number in range(steps + 1)]
    assert shop.script.record == ["load", *seen, "next1"]
    assert shop.said()["next"] == "next1 end"


async def test_who_leaves_before_its_turn_is_never_worked_for(
    nursery: trio.Nursery, thread: FakeThread
) -> None:
    shop = Workshop(thread, mail_max=1)
    await shop.open(nursery)
    thread.hold()
    await at_work(nursery, shop, ("a", 3))
    async with trio.open_nursery() as askers:
        await at_work(askers, shop, ("in the inbox", 2), ("before it", 2))
        askers.cancel_scope.cancel()
    async with trio.open_nursery() as askers:
        await at_work(askers, shop, ("taken in", 2))
        await step(thread)
        askers.cancel_scope.cancel()
    thread.release()
    await wait_all_tasks_blocked()
    assert shop.script.record == ["load", "a1", "a2", "a3"]


async def test_who_leaves_with_answers_unread_is_nobodys_concern(
    shop: Workshop, thread: FakeThread
) -> None:
    async with shop.worker.ask(Job("a", 2), answers_max=2):
        await wait_all_tasks_blocked()
    await shop.ask("b")
    assert shop.script.record == ["load", "a1", "a2", "b1"]
    assert shop.script.made == 1


async def test_a_file_that_went_with_its_asker_is_no_crash(
    shop: Workshop, thread: FakeThread
) -> None:
    shop.script.faults["a1"] = FileNotFoundError()
    thread.hold()
    async with trio.open_nursery() as asker:
        await at_work(asker, shop, ("a", 2))
        asker.cancel_scope.cancel()
    thread.release()
    await shop.ask("b")
    assert (shop.said()["b"], shop.script.made) == ("b1 end", 1)


# What is an answer, though it is an error.


@pytest.mark.parametrize("where", ["load", "begin a", "a1"])
async def test_an_error_for_people_is_an_answer_to_who_asked(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery, where: str
) -> None:
    shop.script.faults[where] = ModelUnavailable("the hub is down")
    thread.hold()
    await at_work(nursery, shop, ("a", 2), ("b", 2))
    thread.release()
    await wait_all_tasks_blocked()
    assert shop.said() == {"a": "ModelUnavailable", "b": "b1 b2 end"}
    assert (shop.script.made, shop.script.record) == (1, ["load", "b1", "b2"])


async def test_it_ends_a_job_that_had_begun(shop: Workshop) -> None:
    shop.script.faults["a2"] = ModelUnavailable("the hub is down")
    await shop.ask("a", 1000)
    assert shop.said() == {"a": "a1 ModelUnavailable"}
    assert shop.script.record == ["load", "a1"]


async def test_who_warms_hears_why_it_cannot_be_loaded(shop: Workshop) -> None:
    shop.script.faults["load"] = ModelUnavailable("the hub is down")
    with pytest.raises(ModelUnavailable, match="the hub is down"):
        await shop.worker.warm()
    await shop.worker.warm()
    assert (shop.script.made, shop.script.record) == (1, ["load"])


# What idles.


async def test_it_is_freed_when_it_has_idled_and_loaded_again_when_needed(
    shop: Workshop, autojump_clock: MockClock
) -> None:
    await shop.ask("a")
    await pass_time(59)
    await shop.worker.drop_idle(60)
    await shop.ask("b")
    await pass_time(60)
    await shop.worker.drop_idle(60)
    await shop.worker.drop_idle(60)
    await shop.ask("c")
    assert shop.script.record == ["load", "a1", "b1", "load", "c1"]


@pytest.mark.usefixtures("no_chance_collection")
async def test_what_was_freed_is_gone_and_before_that_what_is_done(shop: Workshop) -> None:
    await shop.ask("a", 2)
    assert [type(each) for each in shop.script.alive] == [ScriptedTool]
    await shop.worker.drop_idle(0)
    assert [*shop.script.alive] == []


async def test_warming_counts_as_use(shop: Workshop, autojump_clock: MockClock) -> None:
    await pass_time(1000)
    await shop.worker.warm()
    await shop.worker.drop_idle(60)
    await shop.worker.warm()
    assert shop.script.record == ["load"]


async def test_what_could_not_be_loaded_is_let_go_as_well(shop: Workshop) -> None:
    shop.script.faults["load"] = ModelUnavailable("the hub is down")
    await shop.ask("a")
    await shop.worker.drop_idle(0)
    await shop.ask("b")
    assert shop.script.made == 2


async def test_nothing_is_freed_where_nothing_is_loaded(shop: Workshop, thread: FakeThread) -> None:
    await shop.worker.drop_idle(0)
    assert thread.calls == 0


async def test_it_is_not_freed_under_a_job_that_has_begun(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, shop, ("a", 3))
    nursery.start_soon(shop.worker.drop_idle, 0)
    await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    await shop.ask("b")
    assert shop.script.record == ["load", "a1", "a2", "a3", "b1"]


async def test_who_frees_what_idles_is_not_kept_waiting_by_a_long_job(
    shop: Workshop, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    await at_work(nursery, shop, ("a", 1000))
    async with trio.open_nursery() as sweeper:
        sweeper.start_soon(shop.worker.drop_idle, 0)
        await wait_all_tasks_blocked()
        await step(thread)
    assert shop.script.record == ["load", "a1"]
    thread.release()


async def test_when_the_inbox_closes_it_does_what_is_left_and_ends(thread: FakeThread) -> None:
    script = Script()
    worker, intake = open_worker(Office, 2)
    async with worker.ask(Job("a", 2), answers_max=2), worker.ask(Job("b", 1), answers_max=1):
        worker._post.close()
        await run_worker(intake, script.tool, thread)
    assert script.record == ["load", "a1", "b1", "a2"]
