"""What every queue promises: who does which job, when, and what becomes of one that is not done."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import pytest
import trio

from asr.actors.cluster.worker import InHand
from asr.actors.jobs.queue import Bounds, JobQueue, UnknownJob
from asr.actors.turns import Priority
from asr.pipeline.errors import Busy
from tests.actors.jobs.doing import OpenQueue, at_work, first_heard, heard, job, submit

INTERACTIVE = Priority.INTERACTIVE


async def done(queue: JobQueue, count: int, **how: object) -> Sequence[str]:
    """So many jobs in the order in which one worker does them."""
    async with at_work(queue, **how) as attempts:  # type: ignore[arg-type]
        names = await attempts.names(count)
        for name in names:
            await heard(queue, name)
        assert attempts.none_begun()
    return names


class Working:
    """Jobs are done in turn, stopped, and handed back."""

    async def test_clients_take_turns(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2", "a3", "b1", "b2", "c1")
            assert await done(queue, 6) == ["a1", "b1", "c1", "a2", "b2", "a3"]

    async def test_interactive_goes_before_batch(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2")
            await submit(queue, "b1", "b2", priority=INTERACTIVE)
            await submit(queue, "c1", priority=INTERACTIVE, durable=False)
            assert await done(queue, 5) == ["b1", "c1", "b2", "a1", "a2"]

    async def test_batch_does_not_starve(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1")
            await submit(queue, *(f"b{number}" for number in range(20)), priority=INTERACTIVE)
            assert "a1" in (await done(queue, 21))[:15]

    async def test_a_worker_does_the_jobs_of_its_lanes(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2", lane="large")
            await submit(queue, "b1", lane="base")
            await submit(queue, "c1")  # any will do
            assert sorted(await done(queue, 2, lanes=("base", "tiny"))) == ["b1", "c1"]
            assert (await queue.stats()).waiting == 2
            assert await done(queue, 2, lanes=("large",)) == ["a1", "a2"]

    async def test_who_has_no_leisure_takes_nothing_until_there_is_some(
        self, open_queue: OpenQueue
    ) -> None:
        in_hand, busy = InHand(), ExitStack()
        busy.enter_context(in_hand.at_work())
        async with open_queue() as queue, at_work(queue, leisure=in_hand.leisure) as attempts:
            await submit(queue, "a1")
            assert await done(queue, 1) == ["a1"]
            assert attempts.none_begun()
            await submit(queue, "a2")
            busy.close()
            first = await attempts.next()
            with in_hand.at_work():
                await submit(queue, "a3")
                first.end()
                await heard(queue, "a2")
                assert await done(queue, 1) == ["a3"]
                assert attempts.none_begun()

    async def test_clients_of_one_lane_take_turns(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2", "b1", "b2", lane="large")
            await submit(queue, "a3", "b3", lane="base")
            assert await done(queue, 4, lanes=("large",)) == ["a1", "b1", "a2", "b2"]

    async def test_so_many_are_done_at_a_time_and_no_more(self, open_queue: OpenQueue) -> None:
        names = [f"a{number}" for number in range(12)]
        async with open_queue() as queue, at_work(queue, slots=3) as attempts:
            await submit(queue, *names)
            running = [await attempts.next() for _ in range(3)]
            while running:
                running.pop(0).end()
                if len(names) > 3:
                    names.pop()
                    running.append(await attempts.next())
            assert attempts.at_once == 3

    async def test_who_works_waits_for_work(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            for name in ("a1", "a2"):
                await submit(queue, name)
                assert await attempts.names(1) == [name]
                await heard(queue, name)

    async def test_two_workers_never_have_the_same_job(self, open_queue: OpenQueue) -> None:
        names = [f"a{number}" for number in range(20)]
        async with open_queue() as queue:
            await submit(queue, *names)
            async with at_work(queue, slots=2) as some, at_work(queue, slots=2) as others:
                begun = [await some.next(), await others.next(), await some.next()]
                for attempt in begun:
                    attempt.end()
                record = [attempt.name for attempt in begun]

                async def take(attempts: object) -> None:
                    while True:
                        record.extend(await attempts.names(1))  # type: ignore[attr-defined]

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(take, some)
                    nursery.start_soon(take, others)
                    for name in names:
                        await heard(queue, name)
                    nursery.cancel_scope.cancel()
            assert sorted(record) == sorted(names)

    async def test_a_job_that_waits_is_cancelled_and_its_place_free(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue(Bounds(durable_max=2)) as queue:
            await submit(queue, "a1", "a2")
            assert await queue.cancel("a1")
            assert [event.kind for event in await heard(queue, "a1")] == ["cancelled"]
            stands = await queue.standing("a1")
            assert (stands.state, stands.place, stands.tries) == ("cancelled", None, 0)
            assert stands.ended_s is not None
            assert not await queue.cancel("a1")
            assert (await queue.standing("a2")).place == 1
            await submit(queue, "a3")
            assert await done(queue, 2) == ["a2", "a3"]

    async def test_a_job_that_runs_is_cancelled_and_its_worker_stops(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1", "a2")
            attempt = await attempts.next()
            assert await queue.cancel("a1")
            assert (await queue.standing("a1")).state == "cancelled"
            await attempt.stopped.wait()
            assert (await attempts.next()).name == "a2"
            assert [event.kind for event in await heard(queue, "a1")] == ["cancelled"]
            with pytest.raises(UnknownJob):
                await queue.result("a1")

    async def test_a_job_that_is_done_stays_done(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            (await attempts.next()).end()
            await heard(queue, "a1")
            assert not await queue.cancel("a1")
            assert (await queue.standing("a1")).state == "done"

    async def test_a_job_cancelled_as_it_ends_has_one_end(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            for number in range(10):
                name = f"a{number}"
                await submit(queue, name)
                attempt = await attempts.next()
                said: list[bool] = []

                async def cancel(name: str, said: list[bool]) -> None:
                    said.append(await queue.cancel(name))

                async with trio.open_nursery() as nursery:
                    nursery.start_soon(cancel, name, said)
                    attempt.end()
                (event,) = await heard(queue, name)
                assert event.kind == ("cancelled" if said == [True] else "done")

    async def test_a_worker_that_leaves_hands_its_jobs_back(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2", "a3", "b1")
            async with at_work(queue) as attempts:
                assert await attempts.names(2) == ["a1", "b1"]
                left = await attempts.next()
                left.tell("segment", text="one")
                await first_heard(queue, "a2")
            assert left.stopped.is_set()
            stands = await queue.standing("a2")
            assert (stands.state, stands.place, stands.tries) == ("queued", 1, 0)
            left.tell("segment", text="too late")
            async with at_work(queue) as attempts:
                again = await attempts.next()
                assert (again.name, again.run.tries) == ("a2", 1)
                assert dict(again.run.told) == {"segment": 1}
                left.tell("segment", text="too late")
                again.tell("segment", text="two")
                again.end()
                events = await heard(queue, "a2")
                assert [event.kind for event in events] == ["segment", "segment", "done"]
                assert [event.data.get("text") for event in events] == ["one", "two", None]
                assert [event.number for event in events] == [1, 2, 3]

    async def test_what_is_handed_back_goes_to_another_worker_at_once(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue, trio.open_nursery() as nursery:
            await submit(queue, "a1")
            async with at_work(queue) as first:
                await first.next()
                second = await nursery.start(partial(work_until_taken, queue))
            await second.wait()
            nursery.cancel_scope.cancel()

    async def test_a_full_queue_takes_back_what_was_taken(self, open_queue: OpenQueue) -> None:
        async with open_queue(Bounds(durable_max=1)) as queue:
            await submit(queue, "a1")
            async with at_work(queue) as attempts:
                await attempts.next()
                await submit(queue, "a2")
            assert (await queue.stats()).waiting == 2
            with pytest.raises(Busy):
                await queue.submit(job("a3"))
            assert await done(queue, 2) == ["a1", "a2"]


async def work_until_taken(queue: JobQueue, *, task_status: trio.TaskStatus[trio.Event]) -> None:
    """A worker that says when it has got a job."""
    taken = trio.Event()
    async with at_work(queue) as attempts:
        task_status.started(taken)
        await attempts.next()
        taken.set()
        await trio.sleep_forever()
