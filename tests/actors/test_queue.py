from contextlib import AbstractAsyncContextManager
from functools import partial

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.queue import Place, Queue, QueueStats, run_queue
from asr.actors.turns import Priority
from asr.pipeline.errors import Busy
from tests.fakes import pass_time


@pytest.fixture
async def queue(nursery: trio.Nursery) -> Queue:
    """One runs, two may wait."""
    queue: Queue = await nursery.start(partial(run_queue, running_max=1, waiting_max=2))
    return queue


class Visits:
    """Callers who hold their place until they are told to leave; their turns are on record."""

    def __init__(self, queue: Queue, nursery: trio.Nursery) -> None:
        self.record: list[str] = []
        self._queue = queue
        self._nursery = nursery
        self._scopes: dict[str, trio.CancelScope] = {}

    async def come(self, name: str, priority: Priority = Priority.INTERACTIVE) -> None:
        """The client is the name without its number; "kept" is kept elsewhere."""
        self._nursery.start_soon(self._visit, name, priority)
        await wait_all_tasks_blocked()

    async def leave(self, name: str) -> None:
        self._scopes[name].cancel()
        await wait_all_tasks_blocked()

    async def _visit(self, name: str, priority: Priority) -> None:
        with trio.CancelScope() as self._scopes[name]:
            async with self._enter(name, priority):
                self.record.append(name)
                await trio.sleep_forever()

    def _enter(self, name: str, priority: Priority) -> AbstractAsyncContextManager[Place]:
        client = name.rstrip("123456789")
        return self._queue.place(client=client, priority=priority, kept=client == "kept")


@pytest.fixture
def visits(queue: Queue, nursery: trio.Nursery) -> Visits:
    return Visits(queue, nursery)


async def test_who_comes_waits_for_a_turn_and_whoever_leaves_lets_the_next_in(
    visits: Visits, queue: Queue
) -> None:
    await visits.come("a1")
    await visits.come("a2")
    assert visits.record == ["a1"]
    assert queue.stats() == QueueStats(waiting=1, running=1, running_max=1, waiting_max=2)
    await visits.leave("a1")
    assert visits.record == ["a1", "a2"]
    assert queue.stats() == QueueStats(waiting=0, running=1, running_max=1, waiting_max=2)


async def test_a_full_queue_refuses_at_once(visits: Visits, queue: Queue) -> None:
    for name in ("a1", "a2", "a3"):
        queue.refuse_if_full()
        await visits.come(name)
    with pytest.raises(Busy):
        queue.refuse_if_full()
    with trio.fail_after(0), pytest.raises(Busy):
        async with queue.place(client="b"):
            pytest.fail("there was no place")
    assert queue.stats() == QueueStats(waiting=2, running=1, running_max=1, waiting_max=2)


async def test_the_bound_is_exact_when_all_come_at_once(
    queue: Queue, autojump_clock: MockClock
) -> None:
    record: list[str] = []

    async def visit() -> None:
        try:
            async with queue.place(client="a"):
                await pass_time(1)
                record.append("served")
        except Busy:
            record.append("refused")

    async with trio.open_nursery() as callers:
        for _ in range(10):
            callers.start_soon(visit)
    assert record == ["refused"] * 7 + ["served"] * 3


async def test_a_place_is_free_again_in_the_moment_its_owner_leaves(queue: Queue) -> None:
    for _ in range(10):
        async with queue.place(client="a"):
            assert queue.stats().running == 1
        assert queue.stats().running == 0


async def test_a_caller_who_leaves_while_waiting_never_occupies_a_place(
    visits: Visits, queue: Queue
) -> None:
    for name in ("a1", "a2", "a3"):
        await visits.come(name)
    await visits.leave("a2")
    assert queue.stats() == QueueStats(waiting=1, running=1, running_max=1, waiting_max=2)
    await visits.leave("a1")
    assert visits.record == ["a1", "a3"]


async def test_a_storm_of_callers_who_leave_at_once_loses_no_place(
    queue: Queue, visits: Visits
) -> None:
    for _ in range(20):
        async with trio.open_nursery() as storm:
            for _ in range(3):
                storm.start_soon(_hold, queue)
            await trio.lowlevel.checkpoint()
            storm.cancel_scope.cancel()
    assert queue.stats() == QueueStats(waiting=0, running=0, running_max=1, waiting_max=2)
    await visits.come("a1")
    assert visits.record == ["a1"]


async def test_interactive_goes_before_batch(visits: Visits) -> None:
    await visits.come("a1")
    await visits.come("z1", Priority.BATCH)
    await visits.come("b1")
    await visits.leave("a1")
    await visits.leave("b1")
    assert visits.record == ["a1", "b1", "z1"]


async def test_of_those_who_come_at_the_same_time_interactive_goes_first(
    queue: Queue,
) -> None:
    record: list[Priority] = []

    async def visit(priority: Priority) -> None:
        async with queue.place(client="a", priority=priority):
            record.append(priority)

    async with trio.open_nursery() as callers:
        for priority in (Priority.BATCH, Priority.INTERACTIVE):
            callers.start_soon(visit, priority)
    assert record == [Priority.INTERACTIVE, Priority.BATCH]


async def test_clients_take_turns(visits: Visits) -> None:
    for name in ("a1", "a2", "b1"):
        await visits.come(name)
    await visits.leave("a1")
    await visits.come("a3")
    await visits.leave("a2")
    await visits.leave("b1")
    assert visits.record == ["a1", "a2", "b1", "a3"]


async def test_one_client_cannot_hold_more_than_its_share(nursery: trio.Nursery) -> None:
    queue: Queue = await nursery.start(
        partial(run_queue, running_max=1, waiting_max=9, client_max=2)
    )
    visits = Visits(queue, nursery)
    for name in ("a1", "a2"):
        await visits.come(name)
    with pytest.raises(Busy, match="this client"):
        async with queue.place(client="a"):
            pytest.fail("there was no place")
    await visits.come("b1")
    assert queue.stats() == QueueStats(waiting=2, running=1, running_max=1, waiting_max=9)


async def test_the_time_waited_is_known(queue: Queue, autojump_clock: MockClock) -> None:
    waited_s: list[float] = []

    async def visit() -> None:
        async with queue.place(client="a") as place:
            waited_s.append(place.waited_s)
            await pass_time(20)

    async with trio.open_nursery() as callers:
        for _ in range(3):
            callers.start_soon(visit)
    assert waited_s == [0, 20, 40]


async def test_a_refusal_says_when_to_come_back(
    queue: Queue, visits: Visits, autojump_clock: MockClock
) -> None:
    async with queue.place(client="a"):
        await pass_time(8)
    for name in ("a1", "a2", "a3"):
        await visits.come(name)
    with pytest.raises(Busy) as refusal:
        queue.refuse_if_full()
    assert refusal.value.retry_after_s == 24  # 8 s each for the two who wait and for this one


class Watched(Visits):
    """Callers who note each place in line that they hear of, and when they may be done."""

    def __init__(self, queue: Queue, nursery: trio.Nursery) -> None:
        super().__init__(queue, nursery)
        self.lefts_s: list[float | None] = []

    def _enter(self, name: str, priority: Priority) -> AbstractAsyncContextManager[Place]:
        def watch(place: int, left_s: float | None) -> None:
            self.record.append(f"{name} is {place}")
            self.lefts_s.append(left_s)

        client = name.rstrip("123456789")
        return self._queue.place(client=client, priority=priority, watch=watch)


async def test_who_watches_hears_its_place_at_once_and_whenever_it_changes(
    nursery: trio.Nursery,
) -> None:
    queue: Queue = await nursery.start(partial(run_queue, running_max=1, waiting_max=9))
    visits, watched = Visits(queue, nursery), Watched(queue, nursery)
    await visits.come("a1")
    await visits.come("a2")
    await watched.come("b1", Priority.BATCH)
    assert watched.record == ["b1 is 2"]
    await visits.come("a3")  # goes ahead
    await watched.come("a4")
    assert watched.record[:2] == ["b1 is 2", "b1 is 3"]
    assert sorted(watched.record[2:]) == ["a4 is 3", "b1 is 4"]
    watched.record.clear()
    await visits.leave("a2")
    assert sorted(watched.record) == ["a4 is 2", "b1 is 3"]
    await visits.leave("a1")  # a3 is let in
    assert sorted(watched.record[2:]) == ["a4 is 1", "b1 is 2"]
    await visits.leave("a3")
    await watched.leave("a4")
    assert watched.record[-1] == "b1"
    assert sorted(watched.record[4:]) == ["a4", "b1", "b1 is 1"]


async def test_who_is_let_in_at_once_hears_of_no_place(queue: Queue, nursery: trio.Nursery) -> None:
    watched = Watched(queue, nursery)
    await watched.come("a1")
    assert watched.record == ["a1"]


async def test_when_it_will_be_done_is_told_once_somebody_was(
    queue: Queue, nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    watched = Watched(queue, nursery)
    for name in ("a1", "a2"):
        await watched.come(name)
    assert watched.lefts_s == [None]
    await pass_time(20)
    await watched.leave("a1")
    for name in ("a3", "a4"):
        await watched.come(name)
    assert watched.lefts_s == [None, 40, 60]  # 20 s each, for those ahead and for itself


async def test_places_in_line_are_told_to_who_leaves_in_that_moment_without_harm(
    queue: Queue, nursery: trio.Nursery
) -> None:
    for _ in range(20):
        async with trio.open_nursery() as storm:
            watched = Watched(queue, storm)
            for name in ("a1", "b1", "c1"):
                storm.start_soon(watched._visit, name, Priority.INTERACTIVE)
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            storm.cancel_scope.cancel()
    assert queue.stats() == QueueStats(waiting=0, running=0, running_max=1, waiting_max=2)


async def _hold(queue: Queue) -> None:
    async with queue.place(client="a"):
        await trio.sleep_forever()


async def test_who_is_kept_elsewhere_waits_its_turn_and_takes_nobodys_place(
    nursery: trio.Nursery,
) -> None:
    line = partial(run_queue, running_max=1, waiting_max=1, client_max=1)
    queue: Queue = await nursery.start(line)
    visits = Visits(queue, nursery)
    for name in ("a1", "kept1", "kept2"):
        await visits.come(name)
    assert visits.record == ["a1"]
    await visits.come("b1")  # of the two places that there are, one is left
    assert queue.stats() == QueueStats(waiting=3, running=1, running_max=1, waiting_max=1)
    with pytest.raises(Busy):
        queue.refuse_if_full()
    await visits.leave("a1")
    assert len(visits.record) == 2
