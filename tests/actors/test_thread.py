"""The one place with real threads: so no mock clock here, it would not see them."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.thread import Hung, InThread, lent_thread, open_thread

pinned = partial(open_thread, patience_s=60)

# Long beside what a test needs to get a call going, short for who waits until it is over.
SOON_S = 0.2

WHO = ContextVar("who", default="nobody")


async def test_every_call_runs_on_the_same_named_thread() -> None:
    seen: set[str] = set()
    async with pinned("gpu") as in_thread, trio.open_nursery() as callers:
        for _ in range(20):
            callers.start_soon(in_thread, lambda: seen.add(threading.current_thread().name))
    assert seen == {"gpu_0"}


async def test_results_and_errors_travel_and_an_error_does_not_end_the_thread() -> None:
    async with pinned("gpu") as in_thread:
        before = await in_thread(threading.get_ident)
        with pytest.raises(ZeroDivisionError):
            await in_thread(divmod, 7, 0)
        assert await in_thread(divmod, 7, 2) == (3, 1)
        assert await in_thread(threading.get_ident) == before


async def test_the_thread_ends_with_the_context() -> None:
    async with pinned("gpu") as in_thread:
        thread = await in_thread(threading.current_thread)
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="shutdown"):
        await in_thread(threading.get_ident)


async def test_a_running_call_is_waited_for_even_under_cancellation() -> None:
    record: list[str] = []
    running, go_on = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        go_on.wait(10)
        record.append("work done")

    async with pinned("gpu") as in_thread, trio.open_nursery() as caller:
        caller.start_soon(in_thread, work)
        await trio.to_thread.run_sync(running.wait, 10)
        caller.cancel_scope.cancel()
        await _let_everybody_see_that()
        assert len(caller.child_tasks) == 1  # still there
        record.append("cancelled")
        go_on.set()
    assert record == ["cancelled", "work done"]


async def test_a_caller_who_leaves_before_its_turn_is_never_run() -> None:
    record: list[str] = []
    running, go_on = threading.Event(), threading.Event()

    def work() -> None:
        running.set()
        go_on.wait(10)
        record.append("first")

    async with pinned("gpu") as in_thread, trio.open_nursery() as first:
        first.start_soon(in_thread, work)
        await trio.to_thread.run_sync(running.wait, 10)
        async with trio.open_nursery() as second:
            second.start_soon(in_thread, record.append, "second")
            await wait_all_tasks_blocked()
            second.cancel_scope.cancel()
        go_on.set()
    assert record == ["first"]


async def test_leaving_the_context_by_an_error_raises_that_error_alone() -> None:
    with pytest.raises(ZeroDivisionError):
        async with pinned("gpu") as in_thread:
            await in_thread(divmod, 1, 0)


async def test_under_cancellation_a_shielded_clean_up_still_runs_before_the_thread_ends() -> None:
    threads: list[threading.Thread] = []
    with trio.CancelScope() as scope:
        async with pinned("gpu") as in_thread:
            scope.cancel()
            with trio.CancelScope(shield=True):
                threads.append(await in_thread(threading.current_thread))
    assert [thread.is_alive() for thread in threads] == [False]


async def test_a_call_sees_the_context_of_who_makes_it() -> None:
    async with pinned("gpu") as in_thread:
        WHO.set("anna")
        assert await in_thread(WHO.get) == "anna"
        WHO.set("ben")
        assert await in_thread(WHO.get) == "ben"


@contextmanager
def hanging() -> Iterator[threading.Event]:
    """What a call can wait for, which ends with the test."""
    go_on = threading.Event()
    try:
        yield go_on
    finally:
        go_on.set()


async def test_a_call_that_outlasts_the_patience_is_given_up_and_the_thread_with_it() -> None:
    record: list[str] = []
    with hanging() as never:
        async with open_thread("gpu", patience_s=SOON_S) as in_thread:
            for _ in range(3):
                with pytest.raises(Hung, match="the gpu thread hangs"):
                    await in_thread(never.wait)
            with pytest.raises(Hung):
                await in_thread(record.append, "later")
            never.set()
            with pytest.raises(Hung):  # it may have torn what it owns meanwhile
                await in_thread(record.append, "after it returned")
    assert record == []


async def in_vain(in_thread: InThread, work: Callable[[], object]) -> None:
    with pytest.raises(Hung):
        await in_thread(work)


async def test_who_has_to_leave_waits_for_a_while_and_then_leaves_the_thread_behind() -> None:
    running = threading.Event()

    def work(go_on: threading.Event) -> None:
        running.set()
        go_on.wait()

    with hanging() as never:
        async with open_thread("gpu", patience_s=60, leaving_s=SOON_S) as in_thread:
            with trio.fail_after(10):
                async with trio.open_nursery() as caller:
                    caller.start_soon(in_thread, work, never)
                    await trio.to_thread.run_sync(running.wait, 10)
                    caller.cancel_scope.cancel()
            with pytest.raises(Hung):
                await in_thread(running.is_set)


async def test_who_waits_for_its_turn_hears_so_and_is_never_run() -> None:
    record: list[str] = []

    async def wait() -> None:
        with pytest.raises(Hung):
            await in_thread(record.append, "second")
        record.append("heard")

    with hanging() as never:
        soon = open_thread("gpu", patience_s=SOON_S)
        async with soon as in_thread, trio.open_nursery() as nursery:
            nursery.start_soon(wait)
            nursery.start_soon(wait)
            await in_vain(in_thread, never.wait)
    assert record == ["heard", "heard"]


async def test_a_thread_that_hangs_is_left_behind() -> None:
    threads: list[threading.Thread] = []

    def hang() -> None:
        threads.append(threading.current_thread())
        never.wait()

    with hanging() as never:
        async with open_thread("gpu", patience_s=SOON_S) as in_thread:
            with pytest.raises(Hung):
                await in_thread(hang)
        assert [thread.is_alive() for thread in threads] == [True]
    threads[0].join(10)  # let go, it ends by itself


def test_one_that_returns_after_everything_is_over_disturbs_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    threads: list[threading.Thread] = []

    def hang() -> None:
        threads.append(threading.current_thread())
        never.wait()

    async def run() -> None:
        async with open_thread("gpu", patience_s=SOON_S) as in_thread:
            with pytest.raises(Hung):
                await in_thread(hang)

    with hanging() as never:
        trio.run(run)
    threads[0].join(10)
    assert caplog.records == []


async def test_a_lent_thread_takes_one_call_at_a_time() -> None:
    inside = threading.Semaphore(1)

    def work() -> bool:
        alone = inside.acquire(blocking=False)
        threading.Event().wait(0.001)
        if alone:
            inside.release()
        return alone

    alone: list[bool] = []
    in_thread = lent_thread()

    async def call() -> None:
        alone.append(await in_thread(work))

    async with trio.open_nursery() as callers:
        for _ in range(10):
            callers.start_soon(call)
    assert alone == [True] * 10


async def _let_everybody_see_that() -> None:
    with trio.CancelScope(shield=True):
        await wait_all_tasks_blocked()
