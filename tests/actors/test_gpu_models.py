"""The models in memory, and what the actor tells of itself."""

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.gpu import Board
from asr.actors.messages import Unloaded
from asr.pipeline.engine import LoadedModel, Memory
from asr.pipeline.errors import AsrError
from tests.actors.fakes import (
    BASE,
    LOST,
    TINY,
    step,
    windows,
)
from tests.actors.room import Room, at_work
from tests.fakes import FakeThread, pass_time


async def test_a_model_that_cannot_be_had_is_told_to_all_who_ask_for_it(room: Room) -> None:
    await room.decode("a", 2, LOST)
    await room.detect("b", LOST)
    with pytest.raises(AsrError) as refusal:
        await room.gpu.load(LOST)
    assert refusal.value.message == "The model 'lost' cannot be had at the moment"
    await room.decode("c", 1)
    assert room.heard == {"a": "ModelUnavailable", "b": "ModelUnavailable", "c": "c0"}
    assert room.script.made == 1


async def test_a_model_is_loaded_before_anybody_needs_it(room: Room) -> None:
    await room.gpu.load(BASE)
    await room.gpu.load(BASE)
    assert room.script.record == ["load base"]
    assert room.gpu.board == Board((LoadedModel("base", 100),), Memory(100, 0, 100))


async def test_models_that_idle_are_freed_and_counted_and_loaded_again_when_needed(
    room: Room, autojump_clock: MockClock
) -> None:
    await room.gpu.load(TINY)
    await pass_time(40)
    await room.decode("a", 1)
    await pass_time(20)
    await room.gpu.drop_idle(60)  # tiny idles for 60 s, base for 20 s
    assert room.gpu.board.loaded == (LoadedModel("base", 100),)
    assert room.gpu.board.memory.active == 100
    await pass_time(39.5)
    await room.gpu.drop_idle(60)
    assert room.gpu.board.loaded == (LoadedModel("base", 100),)
    await pass_time(0.5)
    await room.gpu.drop_idle(60)
    assert room.gpu.board == Board()
    await room.detect("b", TINY)
    assert room.script.record[-4:] == ["unload tiny", "unload base", "load tiny", "detect b0"]
    for model in ("tiny", "base"):
        assert room.number(f'whisperx_model_evictions_total{{model="{model}"}}') == 1


async def test_a_model_idles_from_the_end_of_its_last_row_on(
    room: Room, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    thread.hold()
    await at_work(nursery, room, ("a", 1))
    await pass_time(100)
    thread.release()
    await pass_time(59)
    await room.gpu.drop_idle(60)
    assert room.gpu.board.loaded == (LoadedModel("base", 100),)


async def test_no_model_is_freed_under_rows_that_run_or_wait_but_another_is(
    room: Room, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    room.script.turns = lambda _: 2
    await room.gpu.load(TINY)
    await pass_time(100)
    thread.hold()
    await at_work(nursery, room, ("a", 1))
    nursery.start_soon(room.gpu.drop_idle, 60)
    await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    assert [line for line in room.script.record if line.startswith("unload")] == ["unload tiny"]
    assert room.heard == {"a": "a0"}


async def test_to_free_what_a_crash_has_taken_already_is_no_error(
    room: Room, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    await room.gpu.load(BASE)
    room.script.faults["unload"] = [RuntimeError()]
    await room.gpu.drop_idle(0)
    await room.decode("a", 1)
    assert (room.script.made, room.heard) == (2, {"a": "a0"})


async def test_the_board_tells_what_waits_what_runs_and_what_is_loaded(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    room.script.turns = lambda _: 2
    thread.hold()
    await at_work(nursery, room, ("a", 6))
    assert room.gpu.board == Board(waiting=2, running=4)
    await step(thread)
    loaded = (LoadedModel("base", 100),)
    board, speed = room.gpu.board, room.gpu.board.tokens_per_s
    assert board == Board(loaded, Memory(128, 0, 128), 2, 4, tokens_per_s=speed)
    assert speed > 0
    thread.release()
    await wait_all_tasks_blocked()
    assert room.gpu.board == Board(loaded, Memory(100, 0, 100))


async def test_tokens_and_the_rows_decoded_together_are_counted(room: Room) -> None:
    await room.decode("a", 5)
    assert room.number("asr_tokens_total") == 5
    assert room.number("asr_audio_done_seconds_total") == sum(w.duration_s for w in windows("a", 5))
    assert room.number("asr_engine_busy_seconds_total") > 0
    assert room.number("asr_batch_rows_count") == 2  # 4 rows, then 1
    assert room.number("asr_batch_rows_sum") == 5


async def test_a_model_is_freed_at_once_when_somebody_says_so(room: Room) -> None:
    await room.gpu.load(BASE)
    assert await room.gpu.unload("base") is Unloaded.FREED
    assert await room.gpu.unload("base") is Unloaded.ABSENT
    assert room.gpu.board == Board()
    await room.decode("a", 1)  # and is loaded again when needed
    assert room.script.record[:3] == ["load base", "unload base", "load base"]


async def test_a_model_is_freed_whose_caller_has_just_left(room: Room, thread: FakeThread) -> None:
    room.script.turns = lambda _: 5
    outcomes: list[Unloaded] = []

    async def unload() -> None:
        outcomes.append(await room.gpu.unload("base"))

    thread.hold()
    async with trio.open_nursery() as nursery:
        await at_work(nursery, room, ("a", 1))
        await step(thread)
        nursery.cancel_scope.cancel()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(unload)
        await wait_all_tasks_blocked()
        thread.release()
    assert outcomes == [Unloaded.FREED]
    assert room.gpu.board == Board()


async def test_a_model_that_somebody_waits_for_is_not_freed(
    room: Room, nursery: trio.Nursery, thread: FakeThread
) -> None:
    room.script.turns = lambda _: 2
    await room.gpu.load(BASE)
    await room.gpu.load(TINY)
    outcomes: list[Unloaded] = []

    async def unload(name: str) -> None:
        outcomes.append(await room.gpu.unload(name))

    thread.hold()
    await at_work(nursery, room, ("a", 1))
    for name in ("base", "tiny"):
        nursery.start_soon(unload, name)
    await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    assert sorted(outcome.name for outcome in outcomes) == ["FREED", "IN_USE"]
    assert [line for line in room.script.record if "unload" in line] == ["unload tiny"]
    assert room.heard == {"a": "a0"}
