"""What a request goes through is put down by its own tasks, and by nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio
import trio.testing

from asr.actors.trail import Stage, Trail, begin, note, request_id, requests, stage, working_for
from tests.actors.fakes import said
from tests.fakes import pass_time

if TYPE_CHECKING:
    from trio.testing import MockClock

    from asr.pipeline.engine import Row
    from asr.pipeline.types import Hypothesis
    from tests.actors.room import Room
    from tests.fakes import FakeThread


async def test_a_stage_has_its_first_begin_its_last_end_and_the_time_between_that_was_its_own(
    autojump_clock: MockClock,
) -> None:
    trail, began_s = Trail("a"), trio.current_time()
    with begin(trail):
        with stage("vad"):
            await pass_time(1)
        with stage("decode"):
            await pass_time(2)
        with stage("vad"):
            await pass_time(4)
    assert trail.stages == {
        "vad": Stage(began_s, began_s + 7, 5),
        "decode": Stage(began_s + 1, began_s + 3, 2),
    }


async def test_tasks_that_are_in_a_stage_together_count_once(autojump_clock: MockClock) -> None:
    trail, began_s = Trail("a"), trio.current_time()

    async def decode(begin_s: float, seconds: float) -> None:
        await pass_time(begin_s)
        with stage("decode"):
            await pass_time(seconds)

    with begin(trail):
        async with trio.open_nursery() as nursery:
            for begin_s, seconds in ((0, 4), (1, 2), (3, 3), (10, 1)):
                nursery.start_soon(decode, begin_s, seconds)
    assert trail.stages == {"decode": Stage(began_s, began_s + 11, 7)}


async def test_tasks_and_threads_of_a_request_find_its_trail_and_others_do_not() -> None:
    trail = Trail("a")
    seen: list[tuple[str, ...]] = []

    async def work() -> None:
        with stage("work"):
            seen.append(requests())
            seen.append(await trio.to_thread.run_sync(requests))

    with begin(trail):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(work)
    assert seen == [("a",), ("a",)]
    assert [*trail.stages] == ["work"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
    assert seen[2:] == [(), ()]
    assert (trail.stages["work"].whole, request_id()) == (True, "")


async def test_it_knows_in_which_stage_a_client_left(autojump_clock: MockClock) -> None:
    trail = Trail("a")

    async def beside() -> None:
        with stage("diarize", beside=True):
            await trio.sleep_forever()

    with begin(trail), trio.move_on_after(3):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(beside)
            with stage("read"):
                await pass_time(1)
            with stage("decode"):
                await trio.sleep_forever()
    assert trail.left_in == "decode"
    assert {name for name, each in trail.stages.items() if each.whole} == {"read"}
    assert trail.stages["diarize"].busy_s == 3


async def test_a_stage_that_fails_is_not_whole_and_nobody_has_left_in_it() -> None:
    trail = Trail("a")
    with begin(trail), pytest.raises(ValueError, match="bad"), stage("read"):
        raise ValueError("bad")
    assert (trail.stages["read"].whole, trail.left_in) == (False, None)


async def test_what_is_said_again_replaces_what_was_said_before() -> None:
    trail = Trail("a")
    with begin(trail):
        note(language="en", windows=1)
        note(language="de")
    note(language="fr")
    assert trail.facts == {"language": "de", "windows": 1}


async def test_an_actor_says_for_whom_it_works() -> None:
    rows = ["b", "a", ""]

    async def actor() -> None:
        working_for(lambda: rows)
        assert requests() == ("a", "b")
        rows.remove("b")
        assert await trio.to_thread.run_sync(requests) == ("a",)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(actor)
    assert requests() == ()


async def test_the_engine_works_for_the_requests_in_its_batch_and_a_crash_is_told_with_them(
    room: Room,
    thread: FakeThread,
    nursery: trio.Nursery,
    caplog: pytest.LogCaptureFixture,
    autojump_clock: MockClock,
) -> None:
    seen: list[tuple[str, ...]] = []
    crashed: list[tuple[str, ...]] = []

    def says(row: Row) -> Hypothesis:
        seen.append(requests())
        return said(row)

    def look(_record: object) -> bool:
        crashed.append(requests())
        return True

    async def ask(who: str) -> None:
        with begin(Trail(who)):
            await room.decode(who, 1)

    room.script.says = says
    room.script.faults["advance"] = [RuntimeError()]
    caplog.handler.addFilter(look)
    thread.hold()
    nursery.start_soon(room.detect, "before them")
    await trio.testing.wait_all_tasks_blocked()
    for who in ("a", "b"):
        nursery.start_soon(ask, who)
        await trio.testing.wait_all_tasks_blocked()
    thread.release()
    await pass_time(2)
    caplog.handler.removeFilter(look)
    assert room.heard == {"before them": "de", "a": "a0", "b": "b0"}
    assert crashed == [("a", "b")]
    assert seen == [("a",), ("b",)]  # one at a time: they are suspects
