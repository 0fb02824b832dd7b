"""The queue of one machine when its disk refuses, on a clock of its own."""

from collections.abc import AsyncIterator, Iterator

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.jobs.local.hands import REFUSED_S, UNWRITTEN_MAX
from asr.actors.jobs.local.journal import Journal, JournalFailed, memory_journal
from asr.actors.jobs.local.queue import LocalQueue, open_local
from asr.actors.jobs.queue import Bounds
from asr.pipeline.errors import StorageFull
from tests.actors.jobs.doing import at_work, heard, job, submit
from tests.fakes import pass_time


class Clock:
    """The clock on the wall, as the test sets it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def journal() -> Iterator[Journal]:
    with memory_journal() as journal:
        yield journal


@pytest.fixture
async def queue(journal: Journal, clock: Clock) -> AsyncIterator[LocalQueue]:
    async with open_local(Bounds(durable_max=2), journal, clock=clock) as queue:
        yield queue


async def refuse_writes(journal: Journal, refuse: bool, /) -> None:
    """From now on nothing can be written, as on a disk that is mounted read-only; or it can."""
    await journal.run(lambda db: db.execute(f"PRAGMA query_only = {int(refuse)}").fetchall())


async def test_a_full_disk_takes_no_job_and_no_place(
    queue: LocalQueue, journal: Journal, autojump_clock: MockClock
) -> None:
    await journal.run(lambda db: db.execute("PRAGMA max_page_count = 20").fetchall())
    for _ in range(3):
        with pytest.raises(StorageFull):
            await queue.submit(job("a1", work="x" * 200_000))
    await submit(queue, "a1", "a2")
    assert (await queue.stats()).waiting == 2


async def test_a_job_whose_try_cannot_be_written_waits(
    queue: LocalQueue, journal: Journal, autojump_clock: MockClock
) -> None:
    async with at_work(queue) as attempts:
        await refuse_writes(journal, True)
        with pytest.raises(JournalFailed):
            await queue.submit(job("a1"))
        await refuse_writes(journal, False)
        await submit(queue, "a1")
        await refuse_writes(journal, True)
        await pass_time(REFUSED_S * 1.5)
        assert attempts.none_begun()
        assert (await queue.standing("a1")).state == "queued"
        await refuse_writes(journal, False)
        attempt = await attempts.next()
        assert attempt.run.tries == 1


async def test_what_was_told_and_how_it_ended_is_written_when_there_is_room(
    queue: LocalQueue, journal: Journal, autojump_clock: MockClock
) -> None:
    async with at_work(queue) as attempts:
        await submit(queue, "a1")
        attempt = await attempts.next()
        await refuse_writes(journal, True)
        attempt.tell("segment", text="one")
        await pass_time(REFUSED_S * 1.5)
        attempt.tell("segment", text="two")
        attempt.end(b"kept")
        await pass_time(REFUSED_S * 1.5)
        assert (await queue.standing("a1")).state == "running"
        await refuse_writes(journal, False)
        events = await heard(queue, "a1")
        assert [event.data.get("text") for event in events] == ["one", "two", None]
        assert await queue.result("a1") == b"kept"


async def test_a_job_that_cannot_be_cancelled_goes_on(
    queue: LocalQueue, journal: Journal, autojump_clock: MockClock
) -> None:
    async with at_work(queue) as attempts:
        await submit(queue, "a1")
        attempt = await attempts.next()
        await refuse_writes(journal, True)
        with pytest.raises(JournalFailed):
            await queue.cancel("a1")
        await refuse_writes(journal, False)
        attempt.end()
        assert [event.kind for event in await heard(queue, "a1")] == ["done"]


async def test_a_job_whose_end_cannot_be_written_can_be_handed_back(
    queue: LocalQueue, journal: Journal, autojump_clock: MockClock
) -> None:
    await submit(queue, "a1")
    async with at_work(queue) as attempts:
        attempt = await attempts.next()
        attempt.tell("segment", text="never written")
        await refuse_writes(journal, True)
        attempt.end()
        await wait_all_tasks_blocked()
    assert (await queue.standing("a1")).place == 1
    await refuse_writes(journal, False)
    async with at_work(queue) as attempts:
        attempt = await attempts.next()
        assert (attempt.run.tries, dict(attempt.run.told)) == (1, {})
        attempt.end()
        assert [event.number for event in await heard(queue, "a1")] == [1]


async def test_what_cannot_be_written_is_bounded(
    queue: LocalQueue, journal: Journal, autojump_clock: MockClock
) -> None:
    async with at_work(queue) as attempts:
        await submit(queue, "a1")
        attempt = await attempts.next()
        await refuse_writes(journal, True)
        for number in range(UNWRITTEN_MAX + 1):
            attempt.tell("segment", number=number)
        with trio.fail_after(1.0):
            await attempt.stopped.wait()
            await wait_all_tasks_blocked()  # it has gone back
        await refuse_writes(journal, False)
        again = await attempts.next()
        assert (again.name, again.run.tries, dict(again.run.told)) == ("a1", 1, {})


async def test_times_are_those_of_the_clock(
    queue: LocalQueue, clock: Clock, autojump_clock: MockClock
) -> None:
    await submit(queue, "a1", webhook="http://one.example")
    clock.now_s += 5.0
    assert (await queue.stats()).oldest_s == 5.0
    async with at_work(queue) as attempts:
        await attempts.next()
    clock.now_s += 2.0
    async with at_work(queue) as attempts:
        attempt = await attempts.next()
        attempt.end()
        await heard(queue, "a1")
    stands = await queue.standing("a1")
    assert (stands.started_s, stands.ended_s) == (1005.0, 1007.0)
    assert [*await queue.ended(before_s=1007.0)] == []
    assert [*await queue.ended(before_s=1007.5)] == ["a1"]
    first = await queue.take_notice(lease_s=10.0)
    clock.now_s += 9.0
    with trio.move_on_after(100.0):  # whoever waits looks again, and again, at the clock
        pytest.fail(f"it was leased, and taken as {await queue.take_notice(lease_s=10.0)}")
    clock.now_s += 1.0
    assert (await queue.take_notice(lease_s=10.0)).attempt == first.attempt + 1


async def test_who_waits_for_a_notice_hears_that_one_is_due_earlier(
    queue: LocalQueue, clock: Clock, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    await submit(queue, "a1", webhook="http://one.example")
    await queue.cancel("a1")
    notice = await queue.take_notice(lease_s=1000.0)
    record: list[int] = []

    async def take() -> None:
        record.append((await queue.take_notice(lease_s=1000.0)).attempt)

    nursery.start_soon(take)
    await wait_all_tasks_blocked()
    await queue.settle(notice, again_s=clock.now_s)
    await wait_all_tasks_blocked()
    assert record == [2]


async def test_progress_is_told_twice_a_second_at_most(
    queue: LocalQueue, autojump_clock: MockClock
) -> None:
    async with at_work(queue) as attempts:
        await submit(queue, "a1")
        attempt = await attempts.next()
        for tenth in range(100):  # ten seconds
            attempt.tell("progress", tenth=tenth)
            await pass_time(0.1)
        attempt.end()
        events = await heard(queue, "a1")
    told = [event.data["tenth"] for event in events[:-1]]
    assert told[0] == 0
    assert told[-1] == 99
    assert 17 <= len(told) <= 21
