from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.queue import QueueStats
from asr.actors.settings import HouseSettings
from asr.pipeline.engine import LoadedModel
from asr.pipeline.errors import Busy, DeadlineExceeded, UnknownModel
from asr.pipeline.types import Options
from tests.actors.home import Home
from tests.fakes import pass_time

BASE_LOADED = (LoadedModel("base", 100),)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def stats(waiting: int, running: int) -> QueueStats:
    return QueueStats(waiting=waiting, running=running, running_max=2, waiting_max=1)


async def test_a_full_house_says_so_at_once_and_when_to_come_back(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    async with home.open(mock_clock) as house:
        home.gpu.hold()
        await home.come(nursery, "a", "b", "c")
        with trio.fail_after(0), pytest.raises(Busy) as refusal:
            await house.transcribe(home.folder / "d", Options())
        assert refusal.value.retry_after_s == 10  # 10 s each for c and d, two at a time
        with pytest.raises(Busy):
            house.refuse_if_full()
        assert house.queue_stats() == stats(waiting=1, running=2)
        home.gpu.release()
        await wait_all_tasks_blocked()
        assert home.heard == {"a": "60 s", "b": "60 s", "c": "60 s"}
        house.refuse_if_full()


async def test_a_client_who_leaves_the_queue_leaves_its_place_to_the_next(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    async with home.open(mock_clock) as house:
        home.gpu.hold()
        await home.come(nursery, "a", "b")
        async with trio.open_nursery() as leaver:
            await home.come(leaver, "c")
            leaver.cancel_scope.cancel()
        assert house.queue_stats() == stats(waiting=0, running=2)
        await home.come(nursery, "d")
        home.gpu.release()
        await wait_all_tasks_blocked()
        assert home.heard == {"a": "60 s", "b": "60 s", "d": "60 s"}
        assert [source for source, _ in home.decoder.asked] == ["a", "b", "d"]


async def test_a_client_who_leaves_while_it_is_served_gives_back_all_it_had(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    home.script.turns = lambda _: 1000
    async with home.open(mock_clock) as house, trio.open_nursery() as leaver:
        home.gpu.hold()
        await home.come(leaver, "a")
        assert home.scratch_files() == ["1.pcm"]
        leaver.cancel_scope.cancel()
        with trio.CancelScope(shield=True):
            await wait_all_tasks_blocked()
            assert house.queue_stats() == stats(waiting=0, running=0)
            assert home.scratch_files() == []
            home.gpu.release()
            await wait_all_tasks_blocked()
        assert home.script.record[-1] == "drop 10 130"
        assert house.stations.gpu.board.running == 0


async def test_a_request_that_takes_too_long_ends_wherever_it_is(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    home.script.turns = lambda _: 1000
    async with home.open(mock_clock) as house:
        home.gpu.hold()
        await home.come(nursery, "a", "b")
        await pass_time(50)
        await home.come(nursery, "c")
        await pass_time(49)
        assert home.heard == {}
        await pass_time(2)  # 101 s after a and b came, 51 s after c did, which waited till now
        assert home.heard == {"a": "DeadlineExceeded", "b": "DeadlineExceeded"}
        assert house.queue_stats() == stats(waiting=0, running=1)
        await pass_time(50)
        assert home.heard["c"] == "DeadlineExceeded"
        assert house.queue_stats() == stats(waiting=0, running=0)
        assert home.scratch_files() == []
        home.gpu.release()
        await wait_all_tasks_blocked()
        assert house.stations.gpu.board.running == 0


async def test_the_deadline_is_told_in_seconds(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    async with home.open(mock_clock) as house:
        home.gpu.hold()
        await home.come(nursery, "a")
        began_s = trio.current_time()
        with pytest.raises(DeadlineExceeded, match="within 100 s"):
            await house.transcribe(home.folder / "a", Options(language="en"))
        assert trio.current_time() - began_s == 100
        home.gpu.release()


async def test_a_crash_is_counted_and_noticed_by_no_caller(
    home: Home, mock_clock: MockClock
) -> None:
    home.script.faults["advance"] = [MemoryError()]
    async with home.open(mock_clock) as house:
        await home.ask("a")
        await home.ask("b")
        assert home.heard == {"a": "60 s", "b": "60 s"}
        assert (house.broken(), home.script.made) == (None, 2)
        assert home.scratch_files() == []
        assert b'asr_restarts_total{actor="gpu"} 1.0' in home.metrics.render()[0]


async def test_when_the_engine_is_hopeless_everybody_hears_so_and_nothing_hangs(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    home.script.faults["admit"] = [MemoryError()]
    async with home.open(mock_clock) as house:
        home.script.faults["make"] = [MemoryError()] * 3
        home.gpu.hold()
        await home.come(nursery, "a", "b", "c")  # a in the batch, b in the mail, c in the queue
        home.gpu.release()
        await pass_time(2.5)  # the third restart comes 3 s after the first crash
        assert (house.broken(), home.heard) == (None, {})
        await home.come(nursery, "d")
        with trio.fail_after(1):
            await house.wait_broken()
        assert house.broken() == "the gpu actor is down for good"
        await wait_all_tasks_blocked()
        with trio.fail_after(0.1):
            await home.ask("e")
        assert home.heard == {"d": "Busy", **dict.fromkeys("abce", "EngineRestarted")}
        assert house.loaded_models() == ()
        await pass_time(1000)  # the sweeper goes on
        assert home.scratch_files() == []


async def test_a_model_that_nobody_asks_for_is_freed_and_comes_back_when_somebody_does(
    home: Home, mock_clock: MockClock
) -> None:
    async with home.open(mock_clock) as house:
        await home.ask("a")
        await pass_time(299)
        assert house.loaded_models() == BASE_LOADED
        await pass_time(2)  # the fifth look is after 300 s
        assert house.loaded_models() == ()
        await home.ask("b")
        assert house.loaded_models() == BASE_LOADED
        assert [line for line in home.script.record if "load" in line] == [
            "load base",
            "unload base",
            "load base",
        ]


def test_a_gpu_works_on_more_requests_at_once_unless_the_operator_says_otherwise() -> None:
    assert [HouseSettings().running_max(device) for device in ("cpu", "metal")] == [8, 64]
    assert HouseSettings(gpu_concurrency=3).running_max("cuda") == 3


async def test_a_house_may_keep_its_models_for_ever(home: Home, mock_clock: MockClock) -> None:
    settings = HouseSettings(keep_alive_s=0)
    async with home.open(mock_clock, settings) as house:
        await home.ask("a")
        await pass_time(1_000_000)
        assert house.loaded_models() == BASE_LOADED


async def test_a_preloaded_model_is_there_before_the_first_request(
    home: Home, mock_clock: MockClock
) -> None:
    async with home.open(mock_clock) as house:
        await house.preload("base")
        assert (house.loaded_models(), home.script.record) == (BASE_LOADED, ["load base"])


async def test_what_finds_speech_may_crash_while_it_is_warmed_and_the_house_stands(
    home: Home, mock_clock: MockClock
) -> None:
    home.finder.faults = [RuntimeError()]
    async with home.open(mock_clock) as house:
        await house.preload("base")
        await pass_time(10)
        await home.ask("a")
        assert (home.heard, house.broken()) == ({"a": "60 s"}, None)


async def test_an_unknown_model_takes_no_place(home: Home, mock_clock: MockClock) -> None:
    async with home.open(mock_clock) as house:
        with pytest.raises(UnknownModel):
            await house.transcribe(home.folder / "a", Options(model="huge"))
        assert home.decoder.asked == []


async def test_leaving_the_house_ends_its_actors_and_what_they_had_on_the_disk(
    home: Home, mock_clock: MockClock
) -> None:
    async with home.open(mock_clock):
        await home.ask("a")
        assert len(list_of(home.folder / "spool")) == 1
    assert list_of(home.folder / "spool") == []


async def test_to_cancel_the_house_ends_it_and_the_requests_in_it(
    home: Home, mock_clock: MockClock
) -> None:
    home.script.turns = lambda _: 1000
    with trio.CancelScope() as scope:
        async with home.open(mock_clock), trio.open_nursery() as callers:
            home.gpu.hold()
            await home.come(callers, "a", "b", "c")
            home.gpu.release()  # a thread cannot be cancelled
            scope.cancel()
    assert scope.cancelled_caught
    assert (home.heard, list_of(home.folder / "spool")) == ({}, [])


async def test_who_outlives_the_house_hears_that_it_is_gone(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    home.script.turns = lambda _: 1000
    async with home.open(mock_clock):
        home.gpu.hold()
        await home.come(nursery, "running", "in the mail")
        home.gpu.release()
    await wait_all_tasks_blocked()
    assert home.heard == {"running": "EngineRestarted", "in the mail": "EngineRestarted"}
    await home.ask("late")
    assert home.heard["late"] == "Busy"


async def test_an_engine_that_cannot_be_made_is_no_house_at_all(
    home: Home, mock_clock: MockClock
) -> None:
    home.script.faults["make"] = [ImportError("no MLX here")]
    with pytest.RaisesGroup(pytest.RaisesExc(ImportError, match="no MLX here")):
        async with home.open(mock_clock):
            pytest.fail("it opened")


async def test_the_dashboard_shows_what_waits_what_runs_and_what_is_loaded(
    home: Home, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    async with home.open(mock_clock) as house:
        await house.preload("base")
        home.gpu.hold()
        await home.come(nursery, "a", "b", "c")
        shown = home.metrics.render()[0].decode()
        home.gpu.release()
    lines = (
        "asr_queue_depth 1.0",
        "whisperx_active_transcriptions 2.0",
        "whisperx_loaded_models 1.0",
        "whisperx_vram_allocated_bytes 100.0",
    )
    assert [line for line in lines if line not in shown.splitlines()] == []


def list_of(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]
