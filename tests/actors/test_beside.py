from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.beside import beside
from asr.pipeline.errors import AsrError, SpeakersUnavailable

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable


async def after(event: trio.Event, value: int) -> int:
    await event.wait()
    return value


async def fail(error: Exception) -> int:
    await trio.lowlevel.checkpoint()
    raise error


async def block_that_fails(work: Callable[[], Awaitable[object]], error: Exception) -> None:
    async with beside(work):
        await wait_all_tasks_blocked()
        raise error


async def test_it_is_at_work_while_the_block_is_and_waited_for_in_it() -> None:
    ready = trio.Event()
    async with beside(partial(after, ready, 7)) as later:
        ready.set()
        assert await later.result() == 7
        assert await later.result() == 7


async def test_an_answer_that_is_an_error_is_raised_where_it_is_asked_for() -> None:
    async with beside(partial(fail, SpeakersUnavailable("no"))) as later:
        await wait_all_tasks_blocked()  # nobody has asked yet, and nothing has happened
        with pytest.raises(SpeakersUnavailable, match="no"):
            await later.result()


async def test_any_other_error_ends_the_block() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        async with beside(partial(fail, MemoryError())):
            await trio.sleep_forever()
    assert caught.group_contains(MemoryError)


async def test_leaving_ends_it() -> None:
    ended = trio.Event()

    async def work() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.set()

    async with beside(work):
        await wait_all_tasks_blocked()
    assert ended.is_set()


@pytest.mark.parametrize("late", [False, True])
async def test_an_error_of_the_block_is_raised_as_it_is(late: bool) -> None:
    error = AsrError("mine")
    work: Callable[[], Awaitable[object]] = trio.sleep_forever if late else trio.lowlevel.checkpoint
    with pytest.raises(AsrError) as caught:
        await block_that_fails(work, error)
    assert caught.value is error


async def test_who_is_cancelled_cancels_it() -> None:
    with trio.CancelScope() as scope:
        async with beside(trio.sleep_forever) as later:
            scope.cancel()
            await later.result()
    assert scope.cancelled_caught
