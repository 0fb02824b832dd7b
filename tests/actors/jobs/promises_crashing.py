"""What every queue promises of jobs at which workers die, as tests."""

from collections.abc import Collection

import pytest
import trio

from asr.actors.jobs import doubt
from asr.actors.jobs.queue import TRIES_ALL_MAX, TRIES_MAX, JobQueue, Poison, Run
from asr.pipeline.records import load_error
from tests.actors.jobs.doing import OpenQueue, at_work, first_heard, heard, submit


class Bug(Exception):
    """Something that no handler should raise."""


async def crash(
    queue: JobQueue, *, telling: str = "", lanes: Collection[str] | None = None
) -> None:
    """Work until the handler crashes."""

    async def handler(run: Run, /) -> bytes:
        if telling:
            known = sum(run.told.values())
            run.tell("segment", {"text": telling})
            await first_heard(queue, run.job.id, after=known)
        raise Bug

    with pytest.RaisesGroup(Bug, flatten_subgroups=True, allow_unwrapped=True):
        await queue.work(handler, slots=1, lanes=lanes)


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

    async def test_of_jobs_that_lost_a_try_one_is_begun_at_a_time(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue:
            await suspects(queue, "a1", "a2", "a3")
            await submit(queue, "a4")
            async with at_work(queue, slots=4) as attempts:
                first, fresh = await attempts.next(), await attempts.next()
                assert {first.run.tries, fresh.name} == {2, "a4"}
                first.end()
                second = await attempts.next()
                second.tell("progress", at=1)
                await first_heard(queue, second.name)
                assert attempts.none_begun()
                second.tell("segment", text="further")
                third = await attempts.next()
                assert {first.name, second.name, third.name} == {"a1", "a2", "a3"}
                assert {second.run.tries, third.run.tries} == {2}

    async def test_a_suspect_that_is_at_work_no_more_lets_the_next_one_begin(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue:
            await suspects(queue, "a1", "a2")
            async with at_work(queue) as attempts:
                assert (await attempts.next()).run.tries == 2
            async with at_work(queue, slots=2) as attempts:
                put_back = await attempts.next()
                assert put_back.run.tries == 2, "who was told to stop loses no try"
                await queue.cancel(put_back.name)
                assert (await attempts.next()).run.tries == 2

    async def test_who_was_there_at_two_deaths_keeps_others_waiting_to_its_end(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue:
            await suspects(queue, "a1", "a2", deaths=2)
            async with at_work(queue, slots=3) as attempts:
                first = await attempts.next()
                first.tell("segment", text="further")
                await first_heard(queue, first.name)
                await submit(queue, "a3")
                assert (await attempts.next()).name == "a3"
                first.end()
                assert (await attempts.next()).run.tries == 3

    async def test_nobody_is_kept_waiting_for_ever(
        self, open_queue: OpenQueue, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(doubt, "TRIAL_S", 0.1)
        async with open_queue() as queue:
            await suspects(queue, "a1", "a2")
            async with at_work(queue, slots=2) as attempts:
                names = {(await attempts.next()).name for _ in range(2)}
                assert names == {"a1", "a2"}


async def suspects(queue: JobQueue, *names: str, deaths: int = 1) -> None:
    """Jobs at each of which workers died, so many."""
    for name in names:
        await submit(queue, name, lane=name)
        for _ in range(deaths):
            await crash(queue, lanes=[name])
