import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, suppress
from functools import partial
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest
import trio

from asr.actors.jobs.local.journal import Journal, open_journal
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import TRIES_ALL_MAX, TRIES_MAX, Bounds, JobQueue, Poison, Run
from asr.pipeline.records import load_error
from tests.actors.jobs.doing import ROOMY, OpenQueue, at_work, first_heard, heard, submit
from tests.actors.jobs.promises import Promises
from tests.actors.jobs.promises_crashing import crash

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TestInMemory(Promises):
    """A queue without a journal."""

    @pytest.fixture
    def keeps(self) -> bool:
        return False

    @pytest.fixture
    def open_queue(self) -> OpenQueue:
        @asynccontextmanager
        async def opened(bounds: Bounds = ROOMY, /) -> AsyncIterator[JobQueue]:
            async with open_local(bounds, None) as queue:
                yield queue

        return opened


class TestOnTheDisk(Promises):
    """A queue with a journal."""

    @pytest.fixture
    def keeps(self) -> bool:
        return True

    @pytest.fixture
    def open_queue(self, tmp_path: Path) -> OpenQueue:
        @asynccontextmanager
        async def opened(bounds: Bounds = ROOMY, /) -> AsyncIterator[JobQueue]:
            folder = tmp_path / "jobs"
            async with open_journal(folder) as journal, open_local(bounds, journal) as queue:
                yield queue

        return opened


async def answered_late(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """As a thread: what is done cannot be cancelled, and others are at work before it is known."""
    await trio.lowlevel.checkpoint()
    value = fn(*args)
    with trio.CancelScope(shield=True):
        for _ in range(7):
            await trio.lowlevel.checkpoint()
    return value


class TestAnsweredLate(Promises):
    """A queue whose journal is always a little ahead of who asks."""

    @pytest.fixture
    def keeps(self) -> bool:
        return True

    @pytest.fixture
    def open_queue(self) -> Iterator[OpenQueue]:
        with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:

            @asynccontextmanager
            async def opened(bounds: Bounds = ROOMY, /) -> AsyncIterator[JobQueue]:
                async with open_local(bounds, Journal(connection, answered_late)) as queue:
                    yield queue

            yield opened


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[JobQueue]:
    async with open_journal(folder) as journal, open_local(ROOMY, journal) as queue:
        yield queue


async def snapshot(folder: Path, other: Path) -> Path:
    """What is left of a folder when its process is killed now."""
    await trio.to_thread.run_sync(shutil.copytree, folder, other)
    return other


async def test_a_job_at_which_the_process_dies_again_and_again_is_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    async with opened(folder) as queue:
        await submit(queue, "a1", "a2", webhook="http://one.example")
    for tries in range(1, TRIES_MAX + 3):
        async with opened(folder) as queue, at_work(queue) as attempts:
            attempt = await attempts.next()
            assert (attempt.name, attempt.run.tries) == ("a1", tries)
            known = min(tries - 1, 2)
            assert attempt.run.told.get("segment", 0) == known
            if known < 2:  # so far the job comes further each time
                attempt.tell("segment", tries=tries)
                await first_heard(queue, "a1", after=known)
            folder = await snapshot(folder, tmp_path / f"{tries}")
    async with opened(folder) as queue:
        stands = await queue.standing("a1")
        assert (stands.state, stands.tries, stands.place) == ("queued", TRIES_MAX + 2, 1)
        async with at_work(queue) as attempts:
            assert (await attempts.next()).name == "a2"
            *told, last = await heard(queue, "a1")
        assert [event.data for event in told] == [{"tries": 1}, {"tries": 2}]
        assert isinstance(load_error(last.data["error"]), Poison)
        assert (await queue.take_notice(lease_s=1.0)).job_id == "a1"


async def test_who_is_beside_a_deadly_job_is_not_given_up_with_it(tmp_path: Path) -> None:
    folder = tmp_path / "0"
    async with opened(folder) as queue:
        await submit(queue, "deadly", "beside")
    for death in range(1, TRIES_ALL_MAX + 1):
        async with opened(folder) as queue, at_work(queue, slots=3) as attempts:
            attempt = await attempts.next()
            assert (attempt.name, attempt.run.tries) == ("deadly", death)
            attempt.tell("segment", text="it comes further each time")
            await first_heard(queue, "deadly", after=death - 1)
            await submit(queue, f"fresh-{death}")
            while not (attempt := await attempts.next()).name.startswith("fresh"):
                pass  # whoever may begin before one that has just come
            attempt.end()
            await heard(queue, attempt.name)
            folder = await snapshot(folder, tmp_path / str(death))
    async with opened(folder) as queue, at_work(queue) as attempts:
        with trio.fail_after(10):
            assert await attempts.names(1) == ["beside"]
        await heard(queue, "beside")
        states = [(await queue.standing(name)).state for name in ("deadly", "beside")]
        assert states == ["failed", "done"]


async def test_who_was_at_work_when_the_process_died_goes_first(tmp_path: Path) -> None:
    async with opened(tmp_path / "0") as queue:
        await submit(queue, "a1", "b1", "a2", "b2", "c1")
        async with at_work(queue, slots=2) as attempts:
            assert [(await attempts.next()).name for _ in range(2)] == ["a1", "b1"]
            folder = await snapshot(tmp_path / "0", tmp_path / "1")
    async with opened(folder) as queue, at_work(queue) as attempts:
        assert await attempts.names(5) == ["a1", "b1", "c1", "a2", "b2"]


async def test_what_is_done_when_its_worker_leaves_is_not_done_again(tmp_path: Path) -> None:
    async def finish_all_the_same(_: Run, /) -> bytes:
        begun.set()
        with suppress(trio.Cancelled):
            await trio.sleep_forever()
        return b"in time"

    begun = trio.Event()
    async with opened(tmp_path) as queue:
        await submit(queue, "a1")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(queue.work, finish_all_the_same, slots=1))
            await begun.wait()
            nursery.cancel_scope.cancel()
        assert await queue.result("a1") == b"in time"


async def test_nothing_is_sorted_to_be_shown(tmp_path: Path) -> None:
    said: set[str] = set()
    folder = tmp_path / "jobs"
    async with open_journal(folder) as journal, open_local(ROOMY, journal) as queue:
        await submit(queue, "a1", "a2", webhook="http://one.example")
        assert await queue.cancel("a1")
        await journal.run(lambda db: db.set_trace_callback(said.add))
        for client in (None, "a"):
            await queue.list(client=client)
            await queue.list(client=client, after="a2")
        await queue.ended(before_s=1e12)
        await heard(queue, "a1")
        await queue.take_notice(lease_s=1.0)
        await journal.run(lambda db: db.set_trace_callback(None))
        asked = [words for words in said if words.startswith("SELECT")]

        def plans(db: sqlite3.Connection) -> list[str]:
            steps = (db.execute(f"EXPLAIN QUERY PLAN {words}").fetchall() for words in asked)
            return [step[-1] for plan in steps for step in plan]

        steps = await journal.run(plans)
    assert len(asked) > 6
    assert [step for step in steps if "TEMP B-TREE" in step] == []
    assert any("USING INDEX jobs_of_client" in step for step in steps)


async def test_what_is_deleted_leaves_no_row(tmp_path: Path) -> None:
    folder = tmp_path / "jobs"
    async with open_journal(folder) as journal, open_local(ROOMY, journal) as queue:
        await submit(queue, "a1", webhook="http://one.example")
        await crash(queue, telling="One")
        async with at_work(queue) as attempts:
            await attempts.names(1)
            await heard(queue, "a1")

        def counts(db: sqlite3.Connection) -> list[int]:
            tables = ("jobs", "events", "further", "results", "notices")
            return [db.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]

        assert await journal.run(counts) == [1, 2, 1, 1, 1]
        await queue.forget("a1")
        assert await journal.run(counts) == [0, 0, 0, 0, 0]


async def test_the_latest_progress_is_told_though_an_earlier_one_is_just_being_written() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        journal = Journal(connection, answered_late)
        async with open_local(ROOMY, journal) as queue, at_work(queue) as attempts:
            for steps in range(20):
                name = f"a{steps}"
                await submit(queue, name)
                attempt = await attempts.next()
                attempt.tell("progress", done_s=1)
                for _ in range(steps):
                    await trio.lowlevel.checkpoint()
                attempt.tell("progress", done_s=2)
                attempt.end()
                *_, latest, _ = await heard(queue, name)
                assert latest.data == {"done_s": 2}
