"""What every queue promises: what is told of a job, to whoever listens, whenever that is."""

import pytest
import trio

from asr.actors.jobs.queue import ENDED, Event, JobQueue, UnknownJob
from tests.actors.jobs.doing import Attempt, OpenQueue, at_work, first_heard, heard, submit

MANY = 2000  # more than is read of a book, or sent, together


def tell(attempt: Attempt, *texts: str) -> None:
    for text in texts:
        attempt.tell("segment", text=text)


class Telling:
    """Events are numbered without gaps, kept, and told again."""

    async def test_events_are_numbered_and_the_end_is_the_last(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            attempt = await attempts.next()
            tell(attempt, "one", "zwei", "三")
            attempt.end()
            events = [
                Event(1, "segment", {"text": "one"}),
                Event(2, "segment", {"text": "zwei"}),
                Event(3, "segment", {"text": "三"}),
                Event(4, "done"),
            ]
            assert await heard(queue, "a1") == events
            for after in range(6):
                assert await heard(queue, "a1", after=after) == events[after:]

    async def test_who_listens_hears_what_was_and_then_what_comes(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            attempt = await attempts.next()
            tell(attempt, "one", "two")
            async with queue.events("a1", after=1) as events:
                assert await anext(events) == Event(2, "segment", {"text": "two"})
                tell(attempt, "three")
                assert await anext(events) == Event(3, "segment", {"text": "three"})
                attempt.end()
                assert [event async for event in events] == [Event(4, "done")]

    async def test_who_listens_before_the_job_begins_hears_it_all(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1")
            listening = trio.Event()
            record: list[list[Event]] = []

            async def listen() -> None:
                async with queue.events("a1") as events:
                    listening.set()
                    record.append([event async for event in events])

            async with trio.open_nursery() as nursery, at_work(queue) as attempts:
                for _ in range(3):
                    nursery.start_soon(listen)
                await listening.wait()
                attempt = await attempts.next()
                tell(attempt, "one")
                attempt.end()
                while len(record) < 3:
                    await trio.lowlevel.checkpoint()
            assert record == [[Event(1, "segment", {"text": "one"}), Event(2, "done")]] * 3

    async def test_a_slow_listener_holds_up_nobody_and_misses_nothing(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            attempt = await attempts.next()
            tell(attempt, "0")
            async with queue.events("a1") as events:
                assert (await anext(events)).data == {"text": "0"}
                tell(attempt, *map(str, range(1, MANY)))
                attempt.end()
                assert len(await heard(queue, "a1")) == MANY + 1
                late = [event async for event in events]
            assert [event.number for event in late] == list(range(2, MANY + 2))
            assert [event.data["text"] for event in late[:-1]] == [*map(str, range(1, MANY))]

    async def test_who_leaves_early_disturbs_nobody(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            with trio.CancelScope() as scope:
                async with queue.events("a1") as events:
                    tell(await attempts.next(), "one")
                    await anext(events)
                    scope.cancel()
                    await anext(events)
            assert scope.cancelled_caught
            assert (await first_heard(queue, "a1")).number == 1

    async def test_of_progress_the_latest_is_told_and_not_all(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            attempt = await attempts.next()
            for done_s in range(MANY):
                attempt.tell("progress", done_s=done_s)
            tell(attempt, "one")
            attempt.end()
            events = await heard(queue, "a1")
            progress = [event.data["done_s"] for event in events if event.kind == "progress"]
            assert progress[-1] == MANY - 1
            assert len(progress) <= 3
            assert [event.number for event in events] == list(range(1, len(events) + 1))
            assert [event.kind for event in events if event.kind != "progress"] == [
                "segment",
                "done",
            ]
            assert (await queue.standing("a1")).progress == {"done_s": MANY - 1}

    async def test_progress_is_told_while_the_job_runs(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            attempt = await attempts.next()
            assert (await queue.standing("a1")).progress == {}
            attempt.tell("progress", done_s=1.5)
            assert await first_heard(queue, "a1") == Event(1, "progress", {"done_s": 1.5})
            assert (await queue.standing("a1")).progress == {"done_s": 1.5}
            async with queue.events("a1", after=1) as events:
                attempt.tell("progress", done_s=2.0)  # though nothing else is
                assert await anext(events) == Event(2, "progress", {"done_s": 2.0})

    async def test_what_is_told_after_the_end_is_told_nobody(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1", "a2")
            attempt = await attempts.next()
            tell(attempt, "one")
            assert await queue.cancel("a1")
            tell(attempt, "two")
            await attempt.stopped.wait()
            tell(attempt, "three")
            await attempts.next()
            events = await heard(queue, "a1")
            assert [event.kind for event in events][-1] == "cancelled"
            assert sum(event.kind in ENDED for event in events) == 1
            assert await heard(queue, "a1") == events

    async def test_who_listens_to_a_job_that_is_deleted_is_not_left_waiting(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            tell(await attempts.next(), "one")
            await listened_while_forgotten(queue)


async def listened_while_forgotten(queue: JobQueue) -> None:
    """Hears of the end, or that there is no such job any more."""
    async with queue.events("a1") as events:
        assert (await anext(events)).number == 1
        async with trio.open_nursery() as nursery:
            nursery.start_soon(queue.forget, "a1")
            try:
                kinds = [event.kind async for event in events]
            except UnknownJob:
                return
    if kinds != ["cancelled"]:
        pytest.fail(f"heard {kinds}")
