"""The shared queue between real processes, which die, freeze and lose their server."""

from __future__ import annotations

import signal
import time
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.jobs.queue import Bounds, Job
from asr.actors.jobs.redis.client import connect
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from asr.pipeline.errors import Busy
from tests.actors.jobs.doing import at_work, heard
from tests.real.process import until
from tests.real.queue_workers import Line, lines, workers
from tests.redis_server import SERVERS, address, running

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator
    from pathlib import Path

KEPT = ("--appendonly", "yes", "--appendfsync", "always")
LEASE_S = 2.0
LONG_LEASE_S = 12.0  # of which a third, from beat to beat, is more than SOON_S
SHORT_LEASE_S = 0.3
SOON_S = 3.0  # some milliseconds, on a machine that is not busy
JOBS = 200
WORK_S = 0.06

SUBMITTERS = 8
PLACES = 64

pytestmark = pytest.mark.real


@dataclass
class Answers:
    """What those who wait have been told: the result, and how often, of each job."""

    results: dict[str, list[bytes]] = field(default_factory=dict)
    segments: dict[str, int] = field(default_factory=dict)

    async def wait(self, queue: RedisQueue, name: str) -> None:
        kinds: list[str] = []
        async with queue.events(name) as events:
            async for event in events:
                kinds.append(event.kind)
                if event.kind == "done":
                    self.results.setdefault(name, []).append(await queue.result(name))
        self.segments[name] = kinds.count("segment")

    async def count(self, wanted: int) -> bool:
        return len(self.results) >= wanted


def begun(log: Path) -> list[Line]:
    return [line for line in lines(log) if line.word == "begun"]


@contextmanager
def frozen(process: subprocess.Popen[bytes]) -> Iterator[None]:
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("program", SERVERS)
async def test_nothing_is_lost_or_answered_twice_whoever_dies_or_freezes(
    tmp_path: Path, program: str
) -> None:
    log, url = tmp_path / "log", address(tmp_path)
    names = [f"job{number}" for number in range(JOBS)]
    answers = Answers()
    with ExitStack() as held:
        server = held.enter_context(running(tmp_path, *KEPT, program=program))
        some = workers(3, url, log, lease_s=LEASE_S, slots=2, work_s=WORK_S)
        dies, freezes, _ = held.enter_context(some)
        async with (
            open_redis(url, Bounds(), lease_s=LEASE_S) as queue,
            trio.open_nursery() as nursery,
        ):
            for name in names:
                await queue.submit(Job(name, "", client=name[-1]))
                nursery.start_soon(answers.wait, queue, name)
            await until(partial(answers.count, 20))
            dies.kill()
            await until(partial(answers.count, 50))
            with frozen(freezes), trio.move_on_after(1.5 * LEASE_S):
                await trio.sleep_forever()
            await until(partial(answers.count, 120))
            server.kill()
            server.wait()
            held.enter_context(running(tmp_path, *KEPT, program=program))
            await until(partial(answers.count, JOBS), within_s=40)
            assert answers.results == {name: [name.encode()] for name in names}
            assert set(answers.segments.values()) == {1}
            assert (await queue.stats()).running == 0
            # Those that died or froze had two each; the server's end cost nobody's.
            assert JOBS < len(begun(log)) <= JOBS + 4
            assert max([(await queue.standing(name)).tries for name in names]) == 2


@pytest.mark.parametrize("program", SERVERS)
async def test_nobody_is_taken_for_dead_because_the_server_was(
    tmp_path: Path, program: str
) -> None:
    url = address(tmp_path)
    with ExitStack() as held:
        server = held.enter_context(running(tmp_path, *KEPT, program=program))
        async with (
            open_redis(url, Bounds(), lease_s=SHORT_LEASE_S) as front,
            open_redis(url, Bounds(), lease_s=SHORT_LEASE_S) as queue,
            at_work(queue, slots=2) as attempts,
        ):
            names = ("durable", "waited-for", "next")
            for name in names:
                await front.submit(Job(name, "", durable=name != "waited-for"))
            running_now = [await attempts.next() for _ in range(2)]
            server.kill()
            server.wait()
            with trio.move_on_after(5 * SHORT_LEASE_S):
                await trio.sleep_forever()
            held.enter_context(running(tmp_path, *KEPT, program=program))
            with trio.move_on_after(3 * SHORT_LEASE_S):
                await running_now[0].stopped.wait()
            for attempt in running_now:
                attempt.end()
            (await attempts.next()).end()
            for name in names:
                assert (await heard(front, name))[-1].kind == "done"
                assert (await front.standing(name)).tries == 1


@pytest.mark.parametrize("program", SERVERS)
async def test_the_bound_is_exact_however_many_fronts_there_are(
    tmp_path: Path, program: str
) -> None:
    accepted: list[str] = []

    async def come(queue: RedisQueue) -> None:
        for number in range(PLACES):
            job = Job(f"{queue.process}-{number}", "")
            with suppress(Busy):
                accepted.extend([job.id] if await queue.submit(job) else [])

    with running(tmp_path, program=program):
        async with AsyncExitStack() as held:
            bounds = Bounds(durable_max=PLACES)
            opened = [open_redis(address(tmp_path), bounds) for _ in range(SUBMITTERS)]
            fronts = [await held.enter_async_context(queue) for queue in opened]
            async with trio.open_nursery() as nursery:
                for queue in fronts:
                    nursery.start_soon(come, queue)
            assert len(set(accepted)) == len(accepted) == PLACES
            assert (await fronts[0].stats()).waiting == PLACES


@pytest.mark.parametrize("program", SERVERS)
async def test_a_worker_stops_at_once_hands_over_at_once_and_outlives_its_queue(
    tmp_path: Path, program: str
) -> None:
    log, url = tmp_path / "log", address(tmp_path)
    with running(tmp_path, program=program):
        some = workers(2, url, log, lease_s=LONG_LEASE_S, slots=1, work_s=60.0)
        async with open_redis(url, Bounds(), lease_s=LONG_LEASE_S) as queue, connect(url) as client:
            with some as processes:
                await submitted(queue, log, "cancelled")
                asked_s = time.monotonic()
                assert await queue.cancel("cancelled")
                (stopped,) = await said(log, "stopped", "cancelled")
                assert stopped.at_s - asked_s < SOON_S

                (first,) = await submitted(queue, log, "handed-over")
                ends = next(one for one in processes if one.pid == first.pid)
                asked_s = time.monotonic()
                ends.terminate()
                _, second = await said(log, "begun", "handed-over", times=2)
                assert second.at_s - asked_s < SOON_S
                assert second.pid != first.pid
                assert (await queue.standing("handed-over")).tries == 1
                assert ends.wait(timeout=10) == 0

                stays = next(one for one in processes if one is not ends)
                await client.flushall()
                # It says that it is there a third of a lease later, and hears that it has nothing.
                await said(log, "stopped", "handed-over", times=2)
                await submitted(queue, log, "new")
                assert stays.poll() is None


async def submitted(queue: RedisQueue, log: Path, name: str) -> list[Line]:
    """A job that is at work."""
    await queue.submit(Job(name, ""))
    return await said(log, "begun", name)


async def said(log: Path, word: str, name: str, *, times: int = 1) -> list[Line]:
    """What was said of a job, as soon as it was said so often."""
    found: list[Line] = []

    async def often_enough() -> bool:
        found[:] = [line for line in lines(log) if (line.word, line.job) == (word, name)]
        return len(found) >= times

    await until(often_enough)
    return found
