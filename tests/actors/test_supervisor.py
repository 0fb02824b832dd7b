import logging
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from asr.actors.supervisor import Explained, Hopeless, Restarts, supervise
from asr.actors.thread import Hung
from tests.fakes import pass_time


class Broken(Exception):
    """What the tasks of these tests die of."""


class Life:
    """Puts down what it is told of a task."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def up(self, name: str, up: bool, /) -> None:
        self.told.append(f"{name} {'up' if up else 'down'}")

    def restarted(self, name: str, /) -> None:
        self.told.append(f"{name} again")


class Task:
    """Starts, lives for ``lives_s`` and crashes; the last of its lives ends well."""

    def __init__(self, *lives_s: float) -> None:
        self.starts: list[float] = []
        self.errors: list[Exception] = []  # of the first lives, if they die of something else
        self._lives_s = lives_s

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None:
        self.starts.append(trio.current_time())
        task_status.started()
        life_s = self._lives_s[len(self.starts) - 1]
        await pass_time(life_s)
        if self.errors:
            raise self.errors.pop(0)
        if len(self.starts) < len(self._lives_s):
            raise Broken


async def test_a_crashed_task_is_run_again_after_a_pause_and_counted(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task(5, 10, 1)
    life = Life()
    began = trio.current_time()
    restarts = Restarts(most=3, within_s=300, pause_s=2)
    await supervise("gpu", task, restarts=restarts, observer=life)
    # crashes at 5 and 17, each followed by 2 s of pause
    assert [at - began for at in task.starts] == [0, 7, 19]
    assert life.told == ["gpu up", *["gpu down", "gpu again", "gpu up"] * 2]
    assert [record.getMessage() for record in caplog.records] == [
        "gpu crashed; 1 of 3 crashes count",
        "gpu crashed; 2 of 3 crashes count",
    ]


async def test_crashes_that_come_too_fast_are_hopeless(autojump_clock: MockClock) -> None:
    task = Task(1, 1, 1, 1)
    with pytest.raises(Hopeless) as hopeless:
        await supervise("gpu", task, restarts=Restarts(most=2, within_s=30, pause_s=1))
    assert type(hopeless.value.__cause__) is Broken
    assert len(task.starts) == 3


@pytest.mark.parametrize("most", [None, 3])
async def test_one_that_hangs_is_hopeless_at_once(
    autojump_clock: MockClock, most: int | None
) -> None:
    task, life = Task(1, 1), Life()
    task.errors = [Hung("gpu")]
    with pytest.raises(Hopeless) as hopeless:
        await supervise("gpu", task, restarts=Restarts(most=most), observer=life)
    assert type(hopeless.value.__cause__) is Hung
    assert (len(task.starts), life.told) == (1, ["gpu up", "gpu down"])


async def test_rare_crashes_never_exhaust_it(autojump_clock: MockClock) -> None:
    task = Task(*[39.0] * 11)  # with the pause ten crashes, 40 s apart
    await supervise("gpu", task, restarts=Restarts(most=1, within_s=30, pause_s=1))
    assert len(task.starts) == 11


async def test_where_any_number_of_crashes_is_borne_it_is_run_again_each_time(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task(*[1.0] * 101)
    began = trio.current_time()
    await supervise("diarizer", task, restarts=Restarts(most=None, pause_s=2))
    assert [at - began for at in task.starts] == [3.0 * number for number in range(101)]
    assert {record.getMessage() for record in caplog.records} == {
        "diarizer crashed; it is started again each time"
    }


async def test_a_crash_that_is_explained_does_not_count_nor_do_those_that_it_explains(
    autojump_clock: MockClock,
) -> None:
    task = Task(*[1.0] * 12)
    task.errors = [Broken(), Explained(2)] * 4 + [Explained(2), Broken()]
    with pytest.raises(Hopeless):
        await supervise("gpu", task, restarts=Restarts(most=1, within_s=300, pause_s=1))
    assert len(task.starts) == 11


async def test_a_first_start_that_fails_is_raised_at_once(autojump_clock: MockClock) -> None:
    starts: list[float] = []

    async def start(*, task_status: trio.TaskStatus[None]) -> None:
        starts.append(trio.current_time())
        raise Broken

    async with trio.open_nursery() as nursery:
        with pytest.raises(Broken):
            await nursery.start(partial(supervise, "gpu", start))
    assert len(starts) == 1


async def test_the_starter_hears_of_the_first_start_only(autojump_clock: MockClock) -> None:
    task = Task(1, 1)
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(supervise, "gpu", task))
        assert len(task.starts) == 1
    assert len(task.starts) == 2


async def test_a_cancellation_is_not_a_crash(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    task = Task(100, 1)
    with trio.move_on_after(50):
        await supervise("gpu", task)
    assert len(task.starts) == 1
    assert caplog.record_tuples == []


async def test_a_restart_is_logged_with_its_cause(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    await supervise("gpu", Task(1, 1))
    (record,) = caplog.records
    assert (record.levelno, record.exc_info and record.exc_info[0]) == (logging.ERROR, Broken)
