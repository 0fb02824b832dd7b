"""What every queue promises: what is taken in, and what may be asked of it."""

from contextlib import suppress
from functools import partial

import pytest
import trio

from asr.actors.jobs.queue import Bounds, ClientBusy, JobQueue, UnknownJob
from asr.actors.turns import Priority
from asr.pipeline.errors import Busy, InvalidRequest
from asr.pipeline.records import dump_error
from tests.actors.jobs.doing import OpenQueue, at_work, first_heard, heard, job, submit

SUBMITTERS = 8
EACH = 64


async def accepted(queue: JobQueue, name: str, record: list[str], *, durable: bool = True) -> None:
    with suppress(Busy):
        if await queue.submit(job(name, durable=durable)):
            record.append(name)


class Keeping:
    """Jobs are taken in, looked at, and forgotten."""

    async def test_a_job_is_done_and_its_result_kept(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            assert await queue.submit(job("a1", label={"file": "é.wav"}, created_s=12.5))
            attempt = await attempts.next()
            assert attempt.run.job == job("a1", label={"file": "é.wav"}, created_s=12.5)
            attempt.end(b"\x00 a result \xff")
            assert [event.kind for event in await heard(queue, "a1")] == ["done"]
            assert await queue.result("a1") == b"\x00 a result \xff"
            stands = await queue.standing("a1")
            assert stands.job == attempt.run.job
            assert (stands.state, stands.place, stands.tries) == ("done", None, 1)
            assert stands.failure is None
            assert stands.started_s is not None
            assert stands.ended_s is not None
            assert stands.started_s <= stands.ended_s

    async def test_an_error_for_people_fails_the_job(self, open_queue: OpenQueue) -> None:
        error = InvalidRequest("No such language", param="language")
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            (await attempts.next()).end(error)
            (event,) = await heard(queue, "a1")
            assert (event.kind, event.data) == ("failed", {"error": dump_error(error)})
            stands = await queue.standing("a1")
            assert (stands.state, stands.failure) == ("failed", dump_error(error))
            with pytest.raises(UnknownJob):
                await queue.result("a1")

    async def test_who_waits_has_a_place_in_line(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2", "b1")
            order = [await queue.standing(name) for name in ("a1", "b1", "a2")]
            assert [stands.place for stands in order] == [1, 2, 3]
            assert {(stands.state, stands.tries) for stands in order} == {("queued", 0)}
            assert {stands.started_s for stands in order} == {None}
            async with at_work(queue) as attempts:
                running = await attempts.next()
                assert (await queue.standing(running.name)).state == "running"
                assert (await queue.standing("b1")).place == 1
                with pytest.raises(UnknownJob):
                    await queue.result(running.name)

    async def test_nobody_knows_a_job_that_never_was(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            for ask in (queue.standing, queue.result, queue.cancel, queue.forget):
                with pytest.raises(UnknownJob):
                    await ask("never")
            with pytest.raises(UnknownJob):
                await heard(queue, "never")
            with pytest.raises(UnknownJob):
                await queue.list(after="never")

    async def test_a_job_that_comes_again_is_the_one_that_is_here(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue(Bounds(durable_max=1)) as queue:
            await submit(queue, "a1")
            assert not await queue.submit(job("a1", work="something else"))  # though it is full
            async with at_work(queue) as attempts:
                attempt = await attempts.next()
                assert attempt.run.job == job("a1")
                assert not await queue.submit(job("a1"))
                attempt.end()
                await heard(queue, "a1")
                assert not await queue.submit(job("a1"))
                await submit(queue, "a2")
                assert (await attempts.next()).name == "a2"

    async def test_an_id_is_of_one_job_whether_it_is_waited_for_or_not(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            for name, durable in (("a1", True), ("a2", False)):
                await submit(queue, name, durable=durable)
                assert not await queue.submit(job(name, durable=not durable))
                (await attempts.next()).end()
                await heard(queue, name)
                assert not await queue.submit(job(name, durable=not durable))

    async def test_of_many_at_once_with_one_id_one_is_taken(self, open_queue: OpenQueue) -> None:
        record: list[str] = []
        async with open_queue() as queue:
            async with trio.open_nursery() as nursery:
                for _ in range(SUBMITTERS):
                    nursery.start_soon(accepted, queue, "a1", record)
            assert record == ["a1"]
            assert len(await queue.list()) == 1

    @pytest.mark.parametrize("durable", [True, False])
    async def test_the_bound_is_exact_however_many_come_at_once(
        self, open_queue: OpenQueue, durable: bool
    ) -> None:
        record: list[str] = []
        bounds = Bounds(durable_max=EACH, held_max=EACH)
        async with open_queue(bounds) as queue:

            async def come(submitter: int) -> None:
                for number in range(EACH):
                    name = f"{submitter}-{number}"
                    await accepted(queue, name, record, durable=durable)

            async with trio.open_nursery() as nursery:
                for submitter in range(SUBMITTERS):
                    nursery.start_soon(come, submitter)
            assert len(record) == EACH
            assert (await queue.stats()).waiting == EACH
            with pytest.raises(Busy) as refused:
                await queue.submit(job("x", durable=durable))
            assert 1.0 <= refused.value.retry_after_s <= 60.0
            await submit(queue, "y", durable=not durable)  # they have places of their own
            await queue.forget(record[0])
            await submit(queue, "x", durable=durable)

    async def test_who_runs_leaves_its_place_to_another(self, open_queue: OpenQueue) -> None:
        async with open_queue(Bounds(durable_max=1)) as queue, at_work(queue) as attempts:
            await submit(queue, "a1")
            await attempts.next()
            await submit(queue, "a2")
            with pytest.raises(Busy):
                await queue.submit(job("a3"))

    async def test_a_client_has_its_share_and_leaves_others_theirs(
        self, open_queue: OpenQueue
    ) -> None:
        async with open_queue(Bounds(client_max=2)) as queue, at_work(queue) as attempts:
            await submit(queue, "a1", "a2", "b1", "b2")
            attempt = await attempts.next()
            with pytest.raises(ClientBusy):  # who runs counts
                await queue.submit(job("a3"))
            assert not await queue.submit(job("a2"))
            await submit(queue, "a4", durable=False)  # who is waited for does not
            attempt.end()
            await heard(queue, attempt.name)
            await submit(queue, "a3")
            assert await queue.cancel("b2")
            await submit(queue, "b3")

    async def test_of_many_of_one_client_at_once_its_share_is_taken(
        self, open_queue: OpenQueue
    ) -> None:
        record: list[str] = []
        async with open_queue(Bounds(client_max=3)) as queue:
            async with trio.open_nursery() as nursery:
                for number in range(SUBMITTERS):
                    nursery.start_soon(accepted, queue, f"a{number}", record)
            assert len(record) == 3

    async def test_durable_jobs_are_listed_the_newest_first(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            for at_s, name in enumerate(("a1", "b1", "a2", "a3", "b2"), 1):
                await submit(queue, name, created_s=float(at_s), label={"name": name})
            await submit(queue, "a9", durable=False)

            async def listed(**of: object) -> list[str]:
                page = await partial(queue.list, **of)()  # type: ignore[arg-type]
                return [stands.job.id for stands in page]

            assert await listed() == ["b2", "a3", "a2", "b1", "a1"]
            assert await listed(limit=2) == ["b2", "a3"]
            assert await listed(limit=2, after="a3") == ["a2", "b1"]
            assert await listed(after="a1") == []
            assert await listed(client="a") == ["a3", "a2", "a1"]
            assert await listed(client="a", after="a3", limit=1) == ["a2"]
            assert await listed(client="c") == []
            first, *_ = await queue.list(limit=1)
            assert first.job.label == {"name": "b2"}
            assert first.place == (await queue.standing("b2")).place
            await queue.forget("a2")
            assert await listed(client="a") == ["a3", "a1"]

    async def test_what_is_waited_for_runs_too(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue, at_work(queue) as attempts:
            await submit(queue, "a1", durable=False, priority=Priority.INTERACTIVE)
            attempt = await attempts.next()
            attempt.tell("segment", text="one")
            assert (await first_heard(queue, "a1")).data == {"text": "one"}
            attempt.end()
            assert [event.kind for event in await heard(queue, "a1")] == ["segment", "done"]
            assert await queue.result("a1") == b"the result"
            assert (await queue.standing("a1")).state == "done"
            assert list(await queue.list()) == []
            await queue.forget("a1")
            with pytest.raises(UnknownJob):
                await queue.standing("a1")
            await submit(queue, "a1", durable=False)
            assert await attempts.names(1) == ["a1"]

    async def test_it_is_known_how_many_wait_and_run(self, open_queue: OpenQueue) -> None:
        bounds = Bounds(durable_max=5, held_max=2)
        async with open_queue(bounds) as queue:
            stats = await queue.stats()
            assert (stats.waiting, stats.running, stats.waiting_max) == (0, 0, 7)
            assert stats.oldest_s == 0.0
            await submit(queue, "a1", "a2", "a3")
            async with at_work(queue, slots=2) as attempts:
                first, second = await attempts.next(), await attempts.next()
                stats = await queue.stats()
                assert (stats.waiting, stats.running) == (1, 2)
                assert 0.0 <= stats.oldest_s < 60.0
                first.end()
                second.end()
                (await attempts.next()).end()
                for name in ("a1", "a2", "a3"):
                    await heard(queue, name)
                stats = await queue.stats()
                assert (stats.waiting, stats.running, stats.oldest_s) == (0, 0, 0.0)

    async def test_what_is_forgotten_never_was(self, open_queue: OpenQueue) -> None:
        async with open_queue() as queue:
            await submit(queue, "a1", "a2", "a3")
            async with at_work(queue) as attempts:
                (await attempts.next()).end()
                await heard(queue, "a1")
                running = await attempts.next()
                for name in ("a1", "a3", "a2"):  # one has ended, one waits, one runs
                    await queue.forget(name)
                    with pytest.raises(UnknownJob):
                        await queue.standing(name)
                    with pytest.raises(UnknownJob):
                        await queue.result(name)
                    with pytest.raises(UnknownJob):
                        await heard(queue, name)
                await running.stopped.wait()
                assert list(await queue.list()) == []
                await submit(queue, "a1")
                attempt = await attempts.next()
                assert (attempt.name, attempt.run.tries, dict(attempt.run.told)) == ("a1", 1, {})

    async def test_what_ended_long_ago_or_is_too_much_is_known(self, open_queue: OpenQueue) -> None:
        async with open_queue(Bounds(ended_max=2)) as queue, at_work(queue) as attempts:
            for name in ("a1", "a2", "a3", "a4"):
                await submit(queue, name)
                (await attempts.next()).end()
                await heard(queue, name)
            assert list(await queue.ended(before_s=0.0)) == ["a1", "a2"]
            assert list(await queue.ended(before_s=0.0, limit=1)) == ["a1"]
            third_s = (await queue.standing("a4")).ended_s
            assert third_s is not None
            assert list(await queue.ended(before_s=third_s)) == ["a1", "a2", "a3"]
            await submit(queue, "a5")
            late_s = third_s + 1000.0
            assert list(await queue.ended(before_s=late_s)) == ["a1", "a2", "a3", "a4"]
            for name in ("a1", "a2"):
                await queue.forget(name)
            assert list(await queue.ended(before_s=0.0)) == []
