import errno
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.jobs.office import Crew, open_jobs
from asr.actors.jobs.queue import ClientBusy, Job, QueueUnavailable, UnknownJob
from asr.actors.jobs.register import NotDone, Register
from asr.actors.jobs.runner import JobRunner
from asr.actors.jobs.settings import JobSettings
from asr.actors.turns import Priority
from asr.pipeline.errors import (
    AsrError,
    Busy,
    DeadlineExceeded,
    EngineRestarted,
    InvalidRequest,
    NotEnoughMemory,
)
from tests.actors.jobs.orders import ORDER, SAID, FakeHouse, audio, open_register, submit

DEADLINE_S = 600.0


@asynccontextmanager
async def working(
    register: Register, house: FakeHouse, *, deadline_s: float = DEADLINE_S
) -> AsyncIterator[None]:
    """The house does jobs, one at a time."""
    runner = JobRunner(house.as_house(), register.blobs, register.keep, deadline_s)
    async with open_jobs(register, Crew(runner, slots=1)):
        yield


async def told(register: Register, job_id: str = "a") -> list[str]:
    """The kinds of a job's events, to its end; how far it is may be told any number of times."""
    async with await register.events(job_id, client=None) as events:
        return [event.kind async for event in events if event.kind != "progress"]


async def test_a_job_is_kept_with_its_audio_until_somebody_has_done_it(tmp_path: Path) -> None:
    house = FakeHouse()
    async with open_register(tmp_path) as register:
        assert (await submit(register, tmp_path)).state == "queued"
        assert audio(tmp_path) == ["x"]
        with pytest.raises(NotDone):
            await register.transcript("a", client=None)
        async with working(register, house):
            kinds = ["started", "waveform", "segment", "segment", "segment", "done"]
            assert await told(register) == kinds
            said = await register.transcript("a", client=None)
            await wait_all_tasks_blocked(0.05)
        assert said == replace(SAID, warnings=ORDER.remarks)
        assert (house.heard, house.jobs) == ([b"x"], ["a"])
        assert audio(tmp_path) == []  # nobody needs it any more
        standing = await register.standing("a", client=None)
        assert standing.progress["state"] == "finished"
        assert standing.progress["warnings"] == list(ORDER.remarks)


async def test_the_same_id_with_the_same_order_is_the_same_job(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        first = await submit(register, tmp_path)
        assert await submit(register, tmp_path) == first
        assert (await register.queue.stats()).waiting == 1
        with pytest.raises(InvalidRequest, match="Idempotency-Key"):
            await submit(register, tmp_path, text="other audio")
        with pytest.raises(InvalidRequest, match="Idempotency-Key"):
            await submit(register, tmp_path, webhook="https://example.org")
        with pytest.raises(InvalidRequest, match="Idempotency-Key"):
            await submit(register, tmp_path, priority=Priority.INTERACTIVE)
        assert audio(tmp_path) == ["x"]


async def test_who_leaves_while_its_audio_is_kept_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_register(tmp_path) as register:
        real = register.blobs.put
        with trio.CancelScope() as scope:

            async def put(key: str, file: Path) -> None:
                await real(key, file)
                scope.cancel()

            monkeypatch.setattr(register.blobs, "put", put)
            await submit(register, tmp_path)
        assert scope.cancelled_caught
        assert audio(tmp_path) == []
        assert (await register.queue.stats()).waiting == 0


async def test_a_disk_that_fails_at_the_end_of_a_job_costs_nobody_anything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_register(tmp_path) as register:

        async def drop(_key: str) -> None:
            raise OSError(errno.ESTALE, "stale handle")

        monkeypatch.setattr(register.blobs, "drop", drop)
        async with working(register, FakeHouse()):
            for job_id in "ab":
                await submit(register, tmp_path, job_id)
                assert (await told(register, job_id))[-1] == "done"
                await wait_all_tasks_blocked(0.05)
    assert caplog.text.count("stale handle") == 2


async def test_who_has_no_place_leaves_no_audio(tmp_path: Path) -> None:
    settings = JobSettings(waiting_max=1)
    async with open_register(tmp_path, settings=settings) as register:
        await submit(register, tmp_path)
        with pytest.raises(Busy):
            await register.refuse_if_full()
        with pytest.raises(Busy):
            await submit(register, tmp_path, "b", "y")
        assert audio(tmp_path) == ["x"]


async def test_a_client_that_has_its_share_leaves_no_audio(tmp_path: Path) -> None:
    async with open_register(tmp_path, client_max=1) as register:
        await submit(register, tmp_path)
        with pytest.raises(ClientBusy):
            await submit(register, tmp_path, "b", "y")
        assert audio(tmp_path) == ["x"]


async def test_a_job_whose_queue_does_not_answer_may_be_there_and_has_its_audio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_register(tmp_path) as register:
        real = register.queue.submit

        async def lost(job: Job) -> bool:
            await real(job)
            raise QueueUnavailable

        with monkeypatch.context() as broken:
            broken.setattr(register.queue, "submit", lost)
            with pytest.raises(QueueUnavailable):
                await submit(register, tmp_path)
        assert (await submit(register, tmp_path)).state == "queued"  # the client tries again
        assert audio(tmp_path) == ["x"]


async def test_no_job_is_taken_when_their_audio_has_no_room(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        with pytest.raises(Busy):
            await submit(register, tmp_path, text="x" * 1001)
        with pytest.raises(UnknownJob):
            await register.standing("a", client=None)
        assert audio(tmp_path) == []


async def test_clients_know_nothing_of_the_jobs_of_others(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        await submit(register, tmp_path)
        assert len(await register.list(client="ann")) == 1
        assert not await register.list(client="bob")
        for ask in (register.standing, register.transcript, register.cancel, register.delete):
            with pytest.raises(UnknownJob):
                await ask("a", client="bob")
        assert (await register.standing("a", client="ann")).state == "queued"


async def test_a_request_that_somebody_waits_for_is_no_job_to_others(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        await register.queue.submit(Job("held", "", durable=False))
        for ask in (register.standing, register.cancel, register.delete):
            with pytest.raises(UnknownJob):
                await ask("held", client=None)
        assert (await register.queue.standing("held")).state == "queued"


async def test_what_is_cancelled_or_deleted_leaves_no_audio(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        await submit(register, tmp_path)
        assert await register.cancel("a", client="ann")
        assert not await register.cancel("a", client="ann")
        assert (await register.standing("a", client=None)).state == "cancelled"
        with pytest.raises(NotDone, match="cancelled"):
            await register.transcript("a", client=None)
        await submit(register, tmp_path, "b")
        await register.delete("b", client="ann")
        with pytest.raises(UnknownJob):
            await register.standing("b", client=None)
        assert audio(tmp_path) == []


async def test_a_job_is_deleted_though_the_queues_answer_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with open_register(tmp_path) as register:
        await submit(register, tmp_path)
        forget = register.queue.forget

        async def again(job_id: str) -> None:
            await forget(job_id)
            await forget(job_id)

        monkeypatch.setattr(register.queue, "forget", again)
        await register.delete("a", client="ann")
        with pytest.raises(UnknownJob):
            await register.delete("a", client="ann")


async def test_what_may_pass_is_waited_for_and_nothing_is_told_twice(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    house = FakeHouse(troubles=[EngineRestarted(), Busy("full", retry_after_s=1.0)])
    work = partial(working, house=house, deadline_s=math.inf)  # the clock runs on beside threads
    async with open_register(tmp_path) as register, work(register):
        await submit(register, tmp_path)
        kinds = ["started", "waveform", "segment", "segment", "segment", "done"]
        assert await told(register) == kinds
    assert len(house.heard) == 3


async def test_what_will_not_pass_fails_the_job_with_that_error(tmp_path: Path) -> None:
    house = FakeHouse(troubles=[NotEnoughMemory()])
    async with open_register(tmp_path) as register, working(register, house):
        await submit(register, tmp_path)
        assert (await told(register))[-1] == "failed"
        with pytest.raises(NotEnoughMemory):
            await register.transcript("a", client=None)


async def test_a_bug_costs_the_job_that_met_it_and_no_other(tmp_path: Path) -> None:
    house = FakeHouse(troubles=[RuntimeError("secret")])
    async with open_register(tmp_path) as register, working(register, house):
        await submit(register, tmp_path)
        assert (await told(register))[-1] == "failed"
        with pytest.raises(AsrError, match="log has it under a"):
            await register.transcript("a", client=None)
        await submit(register, tmp_path, "b")
        assert (await told(register, "b"))[-1] == "done"


async def test_a_job_has_so_much_time_and_no_more(
    tmp_path: Path, autojump_clock: MockClock
) -> None:
    house = FakeHouse(gate=trio.Event())
    async with open_register(tmp_path) as register, working(register, house):
        await submit(register, tmp_path)
        assert (await told(register))[-1] == "failed"
        with pytest.raises(DeadlineExceeded):
            await register.transcript("a", client=None)


async def test_who_stops_work_leaves_the_job_and_its_audio_to_the_next(tmp_path: Path) -> None:
    stuck, house = FakeHouse(gate=trio.Event()), FakeHouse()
    async with open_register(tmp_path) as register:
        await submit(register, tmp_path)
        watched = await register.events("a", client=None)
        async with working(register, stuck), watched as events:
            async for event in events:
                if event.kind == "segment":
                    break
        assert (await register.standing("a", client=None)).state == "queued"
        assert audio(tmp_path) == ["x"]
        async with working(register, house):
            kinds = await told(register)
            assert kinds.count("segment") == 3
            assert kinds[-1] == "done"


async def test_what_has_ended_long_ago_is_forgotten(tmp_path: Path) -> None:
    settings = JobSettings(keep_s=60.0, keep_audio=True)
    async with open_register(tmp_path, settings=settings) as register:
        async with working(register, FakeHouse()):
            await submit(register, tmp_path)
            await told(register)
        assert audio(tmp_path) == ["x"]
        await register.sweep()
        assert len(await register.list(client=None)) == 1
        later = replace(register, clock=lambda: register.clock() + 61.0)
        await later.sweep()
        assert not await register.list(client=None)
        assert audio(tmp_path) == []
