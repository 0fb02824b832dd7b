"""What every queue promises of jobs at which workers die, as tests."""

import pytest
import trio

from asr.actors.jobs.queue import TRIES_ALL_MAX, TRIES_MAX, JobQueue, Poison, Run
from asr.pipeline.records import load_error
from tests.actors.jobs.doing import OpenQueue, at_work, first_heard, heard, submit


class Bug(Exception):
    """Something that no handler should raise."""


async def crash(queue: JobQueue, *, telling: str = "") -> None:
    """Work until the handler crashes."""

    async def handler(run: Run, /) -> bytes:
        if telling:
            known = sum(run.told.values())
            run.tell("segment", {"text": telling})
            await first_heard(queue, run.job.id, after=known)
        raise Bug

    with pytest.RaisesGroup(Bug, flatten_subgroups=True, allow_unwrapped=True):
        await queue.work(handler, slots=1)


class Crashing:
    """Jobs are tried again, and given up."""

    async def test_a_handler_that_crashes_costs_its_job_a_try(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1")
            await crash(queue, telling="one")
            async with at_work(queue) as attempts:
                attempt = await attempts.next()
                assert (attempt.run.tries, dict(attempt.run.told)) == (2, {"segment": 1})
                attempt.end()
                events = await heard(queue, "a1")
                assert [event.number for event in events] == [1, 2]
            assert (await queue.standing("a1")).tries == 2

    async def test_a_job_that_crashes_too_often_is_given_up(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2")
            for _ in range(TRIES_MAX):
                await crash(queue)
            async with at_work(queue) as attempts:
                assert (await attempts.next()).name == "a2"
                (event,) = await heard(queue, "a1")
            stands = await queue.standing("a1")
            assert (event.kind, stands.state, stands.tries) == ("failed", "failed", TRIES_MAX)
            assert event.data == {"error": stands.failure}
            assert stands.failure is not None
            assert isinstance(load_error(stands.failure), Poison)

    async def test_a_job_that_comes_further_is_not_given_up(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1")
            for number in range(TRIES_MAX + 1):
                await crash(queue, telling=f"{number}")
            for _ in range(TRIES_MAX - 1):
                await crash(queue)
            assert (await queue.standing("a1")).state == "queued"
            await crash(queue)
            async with at_work(queue):
                *told, last = await heard(queue, "a1")
            assert len(told) == TRIES_MAX + 1
            assert isinstance(load_error(last.data["error"]), Poison)
            assert (await queue.standing("a1")).tries == 2 * TRIES_MAX + 1

    async def test_a_job_may_not_end_processes_for_ever(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1")
            for number in range(TRIES_ALL_MAX):
                assert (await queue.standing("a1")).state == "queued"
                await crash(queue, telling=f"{number}")
            with trio.fail_after(20):
                async with at_work(queue):
                    *told, last = await heard(queue, "a1")
            assert len(told) == TRIES_ALL_MAX
            assert isinstance(load_error(last.data["error"]), Poison)
