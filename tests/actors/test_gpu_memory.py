"""Memory that is short: who waits, who tries again, and who hears of it."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.pipeline.errors import NotEnoughMemory
from tests.actors.fakes import BASE, TINY, step
from tests.actors.room import Room, at_work
from tests.fakes import FakeThread


async def test_rows_that_find_no_room_join_as_soon_as_others_have_left_and_are_not_tried_before(
    room: Room,
) -> None:
    room.script.has_room_for = 2
    room.script.turns = lambda _: 2
    await room.decode("a", 3)
    assert room.heard == {"a": "a0 a30 a60"}
    assert room.script.record == [
        "load base",
        "admit a0 a30",
        "advance a0 a30",
        "advance a0 a30",
        "admit a60",
        "advance a60",
        "advance a60",
    ]


@pytest.mark.parametrize("call", ["admit", "advance"])
async def test_memory_that_runs_out_halves_the_batch_and_nobody_hears_of_it(
    room: Room, call: str
) -> None:
    room.script.faults[call] = [NotEnoughMemory()]
    await room.decode("a", 4)
    assert room.heard == {"a": "a0 a30 a60 a90"}
    batches = [line for line in room.script.record if line.startswith("admit")]
    assert batches == ["admit a0 a30 a60 a90", "admit a0 a30", "admit a60 a90"]
    assert room.script.made == 1
    await room.decode("b", 4)
    assert room.script.record[-2:] == ["admit b0 b30 b60 b90", "advance b0 b30 b60 b90"]


async def test_what_does_not_fit_even_alone_is_told_and_the_next_one_is_served(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    room.script.tears_at = 1
    thread.hold()
    await at_work(nursery, room, ("a", 2))
    nursery.start_soon(room.detect, "b")
    await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    assert room.heard == {"a": "NotEnoughMemory", "b": "NotEnoughMemory"}
    assert (room.gpu.board.waiting, room.gpu.board.running) == (0, 0)
    room.script.tears_at = 2
    await room.decode("c", 2)
    assert (room.heard["c"], room.script.made) == ("c0 c30", 1)


async def test_a_language_that_does_not_fit_beside_the_batch_is_detected_before_it_goes_on(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    room.script.turns = lambda _: 3
    thread.hold()
    await at_work(nursery, room, ("a", 1))
    await step(thread)
    nursery.start_soon(room.detect, "b")
    await wait_all_tasks_blocked()
    room.script.faults["detect"] = [NotEnoughMemory()]
    thread.release()
    await wait_all_tasks_blocked()
    assert room.heard == {"a": "a0", "b": "de"}
    assert room.script.record[-6:-3] == ["reset a0", "detect b0", "admit a0"]


@pytest.mark.parametrize("ask", ["load", "decode"])
async def test_a_model_that_does_not_fit_is_told_to_who_asked(room: Room, ask: str) -> None:
    await room.decode("a", 1)
    room.script.faults["load"] = [NotEnoughMemory()]
    if ask == "load":
        with pytest.raises(NotEnoughMemory):
            await room.gpu.load(TINY)
    else:
        await room.decode("b", 2, TINY)
        assert room.heard["b"] == "NotEnoughMemory"
    await room.decode("c", 1, BASE)
    assert (room.heard["c"], room.script.made) == ("c0", 1)
