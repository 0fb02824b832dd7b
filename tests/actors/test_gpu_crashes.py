"""What stops the engine, what must not, and who hears of it."""

import weakref
from contextlib import suppress
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.gpu import Board, open_gpu
from asr.actors.gpu_actor import run_gpu
from asr.actors.metrics import Metrics
from asr.actors.request import Heard
from asr.actors.supervisor import Hopeless
from asr.actors.thread import open_thread
from asr.pipeline.audio import open_samples
from asr.pipeline.engine import LoadedModel
from asr.pipeline.errors import EngineRestarted
from asr.pipeline.types import Window
from tests.actors.fake_engine import FakeEngine, Script
from tests.actors.fakes import BASE, ENGLISH, TINY, step, windows
from tests.actors.room import Room, at_work
from tests.fakes import FakeThread, pass_time


def window_of(file: Path) -> Window:
    """A window of one second on the disk."""
    file.write_bytes(bytes(32_000))
    return Window(open_samples(file), 0.0, 1.0)


async def test_after_a_crash_who_was_in_it_goes_one_by_one_and_then_everybody_else(
    room: Room, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    room.script.faults["advance"] = [MemoryError()]
    thread.hold()
    await at_work(nursery, room, ("a", 2))
    nursery.start_soon(room.detect, "b")
    await at_work(nursery, room, ("c", 2), ("d", 3))
    thread.release()
    await pass_time(2)
    assert room.heard == {"a": "a0 a30", "b": "de", "c": "c0 c30", "d": "d0 d30 d60"}
    assert room.script.made == 2
    assert [line for line in room.script.record if line.startswith(("admit", "detect"))] == [
        "admit a0 a30",
        "admit a0",
        "admit a30",
        "detect b0",
        "admit c0 d0 c30 d30",
        "admit d60",
    ]


@pytest.mark.parametrize("call", ["load", "detect", "admit", "advance"])
async def test_whatever_crashes_the_caller_does_not_notice(
    room: Room, call: str, autojump_clock: MockClock
) -> None:
    room.script.faults[call] = [RuntimeError()]
    await room.detect("a")
    await room.decode("b", 1)
    assert (room.heard, room.script.made) == ({"a": "de", "b": "b0"}, 2)


async def test_audio_that_crashes_the_engine_twice_fails_by_itself(
    room: Room, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    room.script.poison = frozenset(["bad30", "worse0"])
    thread.hold()
    await at_work(nursery, room, ("a", 1), ("bad", 2), ("b", 6))
    nursery.start_soon(room.detect, "worse")
    thread.release()
    await pass_time(10)
    assert room.heard == {
        "a": "a0",
        "bad": "Poisoned",
        "b": "b0 b30 b60 b90 b120 b150",
        "worse": "Poisoned",
    }


async def test_poison_after_poison_does_not_end_what_works_in_between(
    room: Room, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    room.script.poison = frozenset(f"bad{number}x0" for number in range(8))
    for number in range(8):  # each crashes the engine twice, and all of them within 20 s or so
        await room.decode(f"bad{number}x", 1)
        await room.decode(f"good{number}x", 1)
    assert list(room.heard.values()) == [
        outcome for number in range(8) for outcome in ("Poisoned", f"good{number}x0")
    ]
    assert room.script.made == 17


async def test_an_engine_that_crashes_over_everything_is_given_up(
    room: Room, autojump_clock: MockClock
) -> None:
    room.script.faults["advance"] = [RuntimeError()] * 1000
    other = Room(room.script, FakeThread())
    with pytest.RaisesGroup(Hopeless):
        async with trio.open_nursery() as nursery:
            await other.open(nursery)
            for number in range(20):
                await other.decode(f"{number}x", 1)
    told = list(other.heard.values())
    assert told == ["Poisoned"] * 10  # after eight in a row each crash counts


async def test_what_nobody_in_the_batch_did_makes_nobody_suspect(
    room: Room, thread: FakeThread, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    room.script.turns = lambda _: 3
    thread.hold()
    await at_work(nursery, room, ("a", 3))
    await step(thread)
    room.script.faults["load"] = [RuntimeError()]
    with pytest.RaisesGroup(EngineRestarted):
        async with trio.open_nursery() as asker:
            asker.start_soon(room.gpu.load, TINY)
            await wait_all_tasks_blocked()
            thread.release()
    await pass_time(2)
    assert room.heard == {"a": "a0 a30 a60"}
    assert room.script.record.count("admit a0 a30 a60") == 2


async def test_after_a_crash_the_board_is_empty_and_nothing_counts_as_evicted(
    room: Room, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    await room.gpu.load(TINY)
    room.script.faults["advance"] = [RuntimeError()]
    nursery.start_soon(room.decode, "a", 6)
    await wait_all_tasks_blocked()
    await pass_time(0.5)
    assert room.gpu.board == Board(waiting=6)
    await pass_time(1)
    assert room.gpu.board.loaded == (LoadedModel("base", 100),)
    assert room.number('whisperx_model_evictions_total{model="tiny"}') == 0


async def test_a_caller_that_cannot_bear_an_answer_is_the_only_one_to_fall(
    room: Room, thread: FakeThread, nursery: trio.Nursery
) -> None:
    def heard(_: Heard) -> None:
        raise ZeroDivisionError

    thread.hold()
    await at_work(nursery, room, ("a", 1))
    thread.release()
    with pytest.raises(ZeroDivisionError):
        await room.gpu.decode(BASE, windows("b", 6), ENGLISH, heard=heard)
    await wait_all_tasks_blocked()
    assert (room.heard, room.script.made, room.gpu.board.waiting) == ({"a": "a0"}, 1, 0)


async def test_audio_that_goes_with_its_caller_does_not_stop_the_rows_that_join_beside_it(
    room: Room, thread: FakeThread, nursery: trio.Nursery, tmp_path: Path
) -> None:
    room.script.reads_files = True
    stays, goes = tmp_path / "stays", tmp_path / "goes"
    thread.hold()
    async with trio.open_nursery() as caller:
        caller.start_soon(room.decode_all, "goes", (window_of(goes),))
        nursery.start_soon(room.decode_all, "stays", (window_of(stays),))
        await wait_all_tasks_blocked()
        caller.cancel_scope.cancel()
    goes.unlink()
    thread.release()
    await wait_all_tasks_blocked()
    assert (room.heard, room.script.made) == ({"stays": "stays0"}, 1)


async def test_audio_may_go_with_its_caller_while_a_language_is_detected(
    room: Room, thread: FakeThread, tmp_path: Path
) -> None:
    room.script.reads_files = True
    goes = tmp_path / "goes"
    thread.hold()
    async with trio.open_nursery() as caller:
        caller.start_soon(room.detect_in, "goes", window_of(goes))
        await wait_all_tasks_blocked()
        caller.cancel_scope.cancel()
    goes.unlink()
    thread.release()
    await room.decode_all("stays", (window_of(tmp_path / "stays"),))
    assert (room.heard, room.script.made) == ({"stays": "stays0"}, 1)


async def test_a_caller_whose_audio_was_taken_away_is_told_and_no_other(
    room: Room, tmp_path: Path
) -> None:
    room.script.reads_files = True
    taken = window_of(tmp_path / "taken")
    taken.audio.path.unlink()
    await room.decode_all("taken", (taken,))
    await room.detect_in("asker", taken)
    await room.decode_all("b", (window_of(tmp_path / "b"),))
    assert room.heard == {"taken": "EngineRestarted", "asker": "EngineRestarted", "b": "b0"}
    assert room.script.made == 1


async def test_another_file_that_is_missing_is_a_crash(
    room: Room, tmp_path: Path, autojump_clock: MockClock
) -> None:
    room.script.faults["admit"] = [FileNotFoundError()]
    room.script.faults["detect"] = [FileNotFoundError()]
    await room.decode_all("a", (window_of(tmp_path / "a"),))
    await room.detect_in("b", window_of(tmp_path / "b"))
    assert room.heard == {"a": "a0", "b": "de"}
    assert room.script.made == 3


@pytest.mark.usefixtures("no_chance_collection")
async def test_a_crashed_engine_and_its_weights_are_gone_before_the_next_one_is_made(
    script: Script,
) -> None:
    """On a real thread, as only that ties the engine into a cycle; so without the mock clock."""
    made: list[weakref.ref[FakeEngine]] = []
    alive: list[int] = []

    def make() -> FakeEngine:
        alive.append(sum(engine() is not None for engine in made))
        engine = script.engine()
        made.append(weakref.ref(engine))
        return engine

    script.faults["load"] = [MemoryError()]
    gpu, intake = open_gpu()

    async def run() -> None:
        with suppress(MemoryError):
            await run_gpu(intake, make, thread, gpu.board, Metrics())
        await run_gpu(intake, make, thread, gpu.board, Metrics())

    async with open_thread("gpu", patience_s=60) as thread, trio.open_nursery() as nursery:
        nursery.start_soon(run)
        with pytest.raises(EngineRestarted):
            await gpu.load(BASE)
        await gpu.load(BASE)
        nursery.cancel_scope.cancel()
    assert alive == [0, 0]
