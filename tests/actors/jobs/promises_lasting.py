"""What every queue promises: what is kept past a restart, and notices of jobs that have ended."""

import time
from dataclasses import replace

import pytest
import trio

from asr.actors.jobs.queue import JobQueue, Notice, UnknownJob
from asr.actors.turns import Priority
from tests.actors.jobs.doing import OpenQueue, at_work, first_heard, heard, job, submit

LONG_S = 1000.0
AT_ONCE_S = 0.001


async def ended(queue: JobQueue, *names: str) -> None:
    """Jobs with a webhook that are done."""
    async with at_work(queue) as attempts:
        for name in names:
            await submit(queue, name, webhook=f"https://example.org/{name}")
            (await attempts.next()).end()
            await heard(queue, name)


async def no_notice(queue: JobQueue) -> None:
    """Nothing is due: what is asked for comes with the next job that ends, and is of that one."""
    await ended(queue, "z9")
    notice = await queue.take_notice(lease_s=LONG_S)
    assert notice == Notice("z9", "https://example.org/z9", 1)
    await queue.settle(notice)
    await queue.forget("z9")


class Lasting:
    """Jobs outlast the process, unless nothing does."""

    async def test_jobs_outlast_a_restart(self, open_queue: OpenQueue, keeps: bool) -> None:
        if not keeps:
            pytest.skip("nothing is kept")
        async with open_queue() as queue:
            await submit(queue, "a0", "a1", "a2", "b1", created_s=7.0, label={"x": [1]})
            await submit(queue, "c1", priority=Priority.INTERACTIVE, lane="base")
            async with at_work(queue) as attempts:
                attempt = await attempts.next()
                attempt.tell("segment", text="one")
                attempt.end(b"kept")
                await heard(queue, "c1")
                running = await attempts.next()
                running.tell("segment", text="two")
                running.tell("progress", done_s=1)
                await first_heard(queue, "a0")
            before = list(await queue.list())
            events = await heard(queue, "c1")
        async with open_queue() as queue:
            assert [replace(one, place=None) for one in await queue.list()] == [
                replace(one, place=None) for one in before
            ]
            assert await queue.result("c1") == b"kept"
            assert await heard(queue, "c1") == events
            assert not await queue.submit(job("c1"))
            async with at_work(queue) as attempts:
                attempt = await attempts.next()
                assert attempt.run.job == job("a0", created_s=7.0, label={"x": [1]})
                assert (attempt.run.tries, attempt.run.told["segment"]) == (1, 1)
                attempt.end()
                numbers = [event.number for event in await heard(queue, "a0")]
                assert numbers == list(range(1, len(numbers) + 1))
                assert sorted(await attempts.names(3)) == ["a1", "a2", "b1"]

    async def test_what_was_deleted_stays_deleted(self, open_queue: OpenQueue, keeps: bool) -> None:
        if not keeps:
            pytest.skip("nothing is kept")
        async with open_queue() as queue:
            await ended(queue, "a1")
            await submit(queue, "a2")
            await queue.forget("a1")
            await queue.cancel("a2")
        async with open_queue() as queue:
            with pytest.raises(UnknownJob):
                await queue.standing("a1")
            assert (await queue.standing("a2")).state == "cancelled"
            assert (await queue.stats()).waiting == 0

    async def test_a_notice_outlasts_a_restart(self, open_queue: OpenQueue, keeps: bool) -> None:
        if not keeps:
            pytest.skip("nothing is kept")
        async with open_queue() as queue:
            await ended(queue, "a1")
        async with open_queue() as queue:
            notice = await queue.take_notice(lease_s=AT_ONCE_S)
            assert notice == Notice("a1", "https://example.org/a1", 1)
        async with open_queue() as queue:
            assert (await queue.take_notice(lease_s=LONG_S)).attempt == 2


class Noticing:
    """The end of a job is noticed once, or again until somebody says that it was."""

    async def test_the_end_of_a_job_is_noticed_however_it_ends(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await ended(queue, "a1")
            await submit(queue, "a2", webhook="http://two.example")
            assert await queue.cancel("a2")
            first = await queue.take_notice(lease_s=LONG_S)
            second = await queue.take_notice(lease_s=LONG_S)
            assert [first, second] == [
                Notice("a1", "https://example.org/a1", 1),
                Notice("a2", "http://two.example", 1),
            ]
            await queue.settle(first)
            await queue.settle(second)
            await no_notice(queue)

    async def test_who_asks_for_a_notice_waits_for_one(self, open_queue: OpenQueue) -> None:
        record: list[str] = []
        async with open_queue() as queue:

            async def take() -> None:
                record.append((await queue.take_notice(lease_s=LONG_S)).job_id)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(take)
                nursery.start_soon(take)
                await ended(queue, "a1", "a2")
            assert sorted(record) == ["a1", "a2"]

    async def test_a_notice_that_is_not_settled_is_due_again(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await ended(queue, "a1")
            attempts = [(await queue.take_notice(lease_s=AT_ONCE_S)).attempt for _ in range(3)]
            assert attempts == [1, 2, 3]

    async def test_a_notice_is_due_again_when_that_was_asked(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await ended(queue, "a1")
            notice = await queue.take_notice(lease_s=LONG_S)
            await queue.settle(notice, again_s=time.time() + LONG_S)
            await no_notice(queue)
            # Which also shows that it was not due then.

    async def test_a_notice_that_was_put_off_comes_when_it_is_due(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue:
            await ended(queue, "a1")
            notice = await queue.take_notice(lease_s=LONG_S)
            await queue.settle(notice, again_s=time.time() + 0.05)
            again = await queue.take_notice(lease_s=LONG_S)
            assert again == replace(notice, attempt=2)
            await queue.settle(notice, again_s=time.time())  # from an attempt that came too late
            await no_notice(queue)

    async def test_nobody_is_told_of_what_is_waited_for(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", durable=False, webhook="http://one.example")
            await queue.cancel("a1")
            await submit(queue, "a2")
            await queue.cancel("a2")
            await no_notice(queue)

    async def test_a_job_that_is_deleted_is_noticed_no_more(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await ended(queue, "a1")
            await queue.forget("a1")
            await no_notice(queue)
