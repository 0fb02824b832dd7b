from math import inf

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.listener import Listener
from asr.actors.workbench import run_worker
from asr.actors.worker import open_worker
from asr.pipeline.types import Found, Span
from tests.actors.fakes import FakeFinder, audio
from tests.fakes import FakeThread


async def opened(finder: FakeFinder, thread: FakeThread, nursery: trio.Nursery) -> Listener:
    listener, intake = open_worker(Listener, 1)
    nursery.start_soon(run_worker, intake, lambda: finder, thread)
    await wait_all_tasks_blocked()
    return listener


async def test_what_is_found_is_told_block_by_block(
    thread: FakeThread, nursery: trio.Nursery
) -> None:
    finder = FakeFinder(block_s=10, table={25: (Span(0, 10), Span(12, 15), Span(20, 25))})
    listener = await opened(finder, thread, nursery)
    async with listener.find_speech(audio("a", 25)) as speech:
        told = [await speech.more() for _ in range(3)]
    assert told == [
        Found((Span(0, 10),), 10, done=False),
        Found((Span(12, 15),), 20, done=False),
        Found((Span(20, 25),), 25, done=True),
    ]


@pytest.mark.parametrize("seconds", [0.0, 1.5, 100.0])
async def test_blocks_of_a_second_all_have_room(
    thread: FakeThread, nursery: trio.Nursery, seconds: float
) -> None:
    listener = await opened(FakeFinder(block_s=1), thread, nursery)
    async with listener.find_speech(audio("a", seconds)) as speech:
        await wait_all_tasks_blocked()  # nobody looks at them meanwhile
        while not (found := await speech.more()).done:
            assert speech.waiting
    assert found.until_s == seconds


async def test_an_audio_with_nothing_to_be_searched_has_an_answer_too(
    thread: FakeThread, nursery: trio.Nursery
) -> None:
    listener = await opened(FakeFinder(block_s=inf), thread, nursery)
    async with listener.find_speech(audio("a", 0)) as speech:
        assert await speech.more() == Found((), 0, done=True)
