"""What the shared queue does when somebody is not there any more, or was only slow to answer."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest
import trio
import trio.testing

from asr.actors.jobs.queue import TRIES_MAX, Bounds, Poison, QueueUnavailable, Run, UnknownJob
from asr.actors.jobs.redis.inbox import Inbox
from asr.actors.jobs.redis.library import LIBRARY, Library
from asr.actors.jobs.redis.pool import Client
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from asr.actors.turns import OVERTAKEN_MAX
from asr.pipeline.records import load_error
from tests.actors.jobs.doing import at_work, heard, submit
from tests.real.process import until
from tests.redis_server import needs_redis

pytestmark = needs_redis

LEASE_S = 0.2
NAME = "jobs"


@pytest.fixture
def server(client: Client) -> Library:
    """The functions, called as a process would that then says nothing more."""
    return Library(client, NAME)


@asynccontextmanager
async def processes(url: str, count: int) -> AsyncIterator[list[RedisQueue]]:
    """So many processes that share the queue."""
    async with trio.open_nursery() as nursery:
        over = trio.Event()

        async def process(task_status: trio.TaskStatus[RedisQueue]) -> None:
            async with open_redis(url, Bounds(), name=NAME, lease_s=LEASE_S) as queue:
                task_status.started(queue)
                await over.wait()

        queues: list[RedisQueue] = [await nursery.start(process) for _ in range(count)]
        try:
            yield queues
        finally:
            over.set()


async def taken(server: Library, token: str, *, worker: str = "gone/1") -> str | None:
    """The job that a worker has taken."""
    answer = await server.call("take", worker, token, "*", LEASE_S, OVERTAKEN_MAX)
    return None if answer is None else answer[0].decode()


async def finished(server: Library, name: str, token: str) -> bool:
    """Whether a worker may end a job."""
    return bool(await server.call("finish", name, token, "done", "", 1, b"its result", 0))


async def test_a_job_of_a_worker_that_was_not_heard_of_goes_to_another_and_is_its_own(
    url: str, client: Client, server: Library
) -> None:
    async with processes(url, 1) as (queue,):
        await submit(queue, "a1")
        assert await taken(server, "t") == "a1"
        async with at_work(queue) as attempts:
            attempt = await attempts.next()
            assert attempt.run.tries == 2
            # The first one thaws: nothing of what it says is believed.
            assert not await finished(server, "a1", "t")
            assert not await server.call("tell", "a1", "t", 1, "segment", "{}")
            assert not await server.call("give_back", "a1", "t", 0, TRIES_MAX, "{}")
            attempt.end()
            assert [event.kind for event in await heard(queue, "a1")] == ["done"]
            assert await queue.result("a1") == b"the result"
            assert not await finished(server, "a1", "t")
            assert await queue.result("a1") == b"the result"


async def test_a_job_whose_workers_die_is_given_up(
    url: str, client: Client, server: Library
) -> None:
    async with processes(url, 1) as (queue,):
        await submit(queue, "a1")
        for number in range(TRIES_MAX):
            await until(partial(takes, server, f"t{number}"))
        (event,) = await heard(queue, "a1")
        assert isinstance(load_error(event.data["error"]), Poison)


async def takes(server: Library, token: str) -> bool:
    return await taken(server, token) is not None


async def test_a_dead_workers_job_is_found_behind_many_that_live(
    url: str, client: Client, server: Library
) -> None:
    async with processes(url, 1) as (queue,):
        await submit(queue, "x1")
        assert await taken(server, "t") == "x1"
        async with at_work(queue, slots=31) as attempts:
            await submit(queue, *(f"a{number}" for number in range(30)))
            names = {(await attempts.next()).name for _ in range(31)}
            assert "x1" in names


async def test_a_worker_that_is_slow_but_heard_of_keeps_its_job(url: str, client: Client) -> None:
    async with processes(url, 2) as (first, second):
        await submit(first, "a1")
        async with at_work(first) as slow:
            attempt = await slow.next()
            async with at_work(second) as others:
                for name in ("b1", "b2", "b3"):  # some leases go by
                    with trio.move_on_after(LEASE_S):
                        await attempt.stopped.wait()
                    await submit(second, name)
                    assert await others.names(1) == [name]
                attempt.end()
                assert (await heard(second, "a1"))[-1].kind == "done"
                assert (await second.standing("a1")).tries == 1


async def test_what_is_asked_again_because_the_answer_was_lost_happens_once(
    url: str, client: Client, server: Library
) -> None:
    words = ("a1", "nonce", "p", "c", "", 1, 1, "", "{}", 0, "work", 1, 1, "")
    assert [await server.call("submit", *words) for _ in range(2)] == [b"new", b"new"]
    assert await server.call("submit", "a1", "other", *words[2:]) == b"known"
    assert [await taken(server, "t") for _ in range(2)] == ["a1", "a1"]
    for _ in range(2):
        assert await server.call("tell", "a1", "t", 1, "segment", "{}", "segment", "{}")
    over, told = await server.call("events", "a1", "p", 0, 10)
    assert (over, [number for number, _, _ in told]) == (0, [b"1", b"2"])
    assert await finished(server, "a1", "t")
    assert await taken(server, "t") is None


async def test_who_left_before_its_question_came_gets_no_job(
    url: str, client: Client, server: Library
) -> None:
    async with processes(url, 1) as (queue,):
        await submit(queue, "a1")
        await server.call("untake", "t")
        assert await taken(server, "t") is None
        assert await taken(server, "u") == "a1"
        await server.call("untake", "u")
        stands = await queue.standing("a1")
        assert (stands.state, stands.tries) == ("queued", 0)


async def test_work_cancelled_at_any_moment_loses_nothing_and_costs_no_try(
    url: str, client: Client
) -> None:
    names = [f"a{number}" for number in range(20)]

    async def handler(run: Run, /) -> bytes:
        run.tell("segment", {"of": run.job.id})
        return run.job.id.encode()

    async with processes(url, 1) as (queue,):
        await submit(queue, *names)
        for step in range(60):
            with trio.move_on_after(step / 10_000):
                await queue.work(handler, slots=1 + step % 3)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(partial(queue.work, handler, slots=3))
            for name in names:
                kinds = [event.kind for event in await heard(queue, name)]
                assert kinds == ["segment", "done"]
                assert await queue.result(name) == name.encode()
                assert (await queue.standing(name)).tries == 1
            nursery.cancel_scope.cancel()


async def test_a_word_to_stop_that_comes_before_the_job_is_heard(
    url: str, client: Client, server: Library
) -> None:
    inbox = Inbox(client, server, "p", lease_s=LEASE_S, poison="{}")
    await inbox.beat()
    async with inbox.open():
        with inbox.listening("job", "a1") as bell:
            await client.xadd(f"{server.prefix}inbox:p", {"stop": "t", "job": "a1"})
            await bell.heard()
        stopped = trio.Event()
        with inbox.minding("a1", "other", stopped.set):
            assert not stopped.is_set()
        with inbox.minding("a1", "t", stopped.set):
            assert stopped.is_set()


async def test_nobody_works_for_those_who_wait_no_more(url: str, client: Client) -> None:
    async with processes(url, 1) as (queue,), at_work(queue) as attempts:
        async with processes(url, 1) as (front,):
            await submit(front, "a1", "a2", durable=False)
            await submit(front, "b1")
            running = await attempts.next()
            assert running.name == "a1"
            waiting = await queue.standing("a2")
        await running.stopped.wait()
        assert waiting.state == "queued"
        assert [event.kind for event in await heard(queue, "a2")] == ["cancelled"]
        assert await attempts.names(1) == ["b1"]
        assert [event.kind for event in await heard(queue, "b1")] == ["done"]
        assert (await queue.standing("a1")).state == "cancelled"
        assert (await queue.stats()).waiting == 0


async def test_a_server_that_lost_everything_is_noticed_and_used(url: str, client: Client) -> None:
    async with processes(url, 1) as (queue,), at_work(queue) as attempts:
        await submit(queue, "a1", "a2")
        running = await attempts.next()
        async with queue.events("a2") as events:
            await client.flushall()
            with pytest.raises(UnknownJob):
                await anext(events)
        await running.stopped.wait()
        await submit(queue, "a3")
        assert await attempts.names(1) == ["a3"]
        assert [event.kind for event in await heard(queue, "a3")] == ["done"]


async def test_the_functions_are_brought_back_where_they_are_gone(url: str, client: Client) -> None:
    async with processes(url, 1) as (queue,):
        await client.function_flush()
        await submit(queue, "a1")
        assert (await queue.standing("a1")).place == 1


async def test_no_function_of_another_version_is_left_behind(url: str, client: Client) -> None:
    older = f"{LIBRARY}older"
    await client.function_load(
        f"#!lua name={older}\nredis.register_function('{older}_x', function() return 1 end)"
    )
    async with processes(url, 1):
        libraries = [str(name) for name in await client.function_list()]
        assert len(libraries) == 1
        assert older not in libraries[0]


async def test_what_is_over_leaves_nothing_behind(url: str, client: Client) -> None:
    big = b"0123456789" * 300_000
    async with processes(url, 1) as (queue,):
        await submit(queue, "a1", "a2", webhook="https://example.org")
        async with at_work(queue) as attempts:
            for name in ("a1", "a2"):
                attempt = await attempts.next()
                attempt.tell("segment", text=name)
                attempt.end(big)
                await heard(queue, name)
        assert await queue.result("a1") == big
        assert await queue.result("a2") == big
        sizes = [await client.strlen(key) async for key in client.scan_iter("*result*")]
        assert max(sizes) <= 1 << 20
        for name in ("a1", "a2"):
            await queue.forget(name)
    keys = [key async for key in client.scan_iter()]
    kept = {key.decode().rpartition(":")[2] for key in keys if await client.ttl(key) == -1}
    assert kept == {"age", "overtaken", "pulse", "turn"}


async def test_who_is_waited_for_leaves_nothing_for_long(url: str, client: Client) -> None:
    async with processes(url, 1) as (queue,), at_work(queue) as attempts:
        await submit(queue, "a1", durable=False)
        (await attempts.next()).end()
        await heard(queue, "a1")
        assert await queue.result("a1") == b"the result"
        of_it = [key async for key in client.scan_iter() if "a1" in key.decode().split(":")]
        left = {key.decode().rpartition("}:")[2] for key in of_it}
        assert left - {"heard:a1"} == {"job:a1", "events:a1", "result:a1:1"}
        assert all([await client.ttl(key) > 0 for key in of_it])


async def test_a_queue_that_cannot_be_reached_is_said_to_be(
    tmp_path: Path, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(QueueUnavailable):
        async with open_redis(f"unix://{tmp_path / 'nobody'}", Bounds()):
            raise AssertionError("nobody is there")


async def test_what_goes_wrong_while_it_is_open_leaves_as_it_is(url: str, client: Client) -> None:
    with pytest.raises(KeyError):
        async with open_redis(url, Bounds(), name=NAME):
            raise KeyError
