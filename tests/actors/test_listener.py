from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.listener import Found, Listener, ListenerMessage, run_listener
from asr.actors.supervisor import Restarts, supervise
from asr.pipeline.audio import SAMPLE_RATE, Audio
from asr.pipeline.errors import EngineRestarted
from asr.pipeline.types import Span
from tests.fakes import FakeThread, pass_time

BLOCK = 10 * SAMPLE_RATE


def audio(name: str, blocks: int) -> Audio:
    return Audio(Path(name), blocks * BLOCK)


@dataclass
class FakeFinder:
    """Hears 10 s in a block and finds speech in all of it; what it did is on record."""

    record: list[str] = field(default_factory=list)
    loaded: bool = False

    def load(self) -> None:
        if not self.loaded:
            self.record.append("load")
        self.loaded = True

    def scan(self, audio: Audio, /) -> "FakeScan":
        return FakeScan(self, audio)


@dataclass
class FakeScan:
    finder: FakeFinder
    audio: Audio
    heard: int = 0

    @property
    def done(self) -> bool:
        return self.heard >= self.audio.samples

    @property
    def done_s(self) -> float:
        return self.heard / SAMPLE_RATE

    def advance(self) -> tuple[Span, ...]:
        if self.audio.path.name == "cursed":
            raise MemoryError
        self.finder.record.append(self.audio.path.name)
        self.heard += BLOCK
        return (Span(self.done_s - 10, self.done_s),)


class House:
    """A listener under supervision, the finders that it made, and what its callers heard."""

    def __init__(self, thread: FakeThread) -> None:
        self.record: list[str] = []
        self.heard: dict[str, int | str] = {}
        self._thread = thread

    async def open(self, nursery: trio.Nursery) -> None:
        post, inbox = trio.open_memory_channel[ListenerMessage](8)
        self.listener = Listener(post)
        start = partial(run_listener, inbox, self._make, self._thread)
        await nursery.start(partial(supervise, "listener", start, restarts=Restarts(pause_s=1)))

    async def find(self, audio: Audio) -> None:
        try:
            self.heard[audio.path.name] = await self.spans(audio)
        except EngineRestarted:
            self.heard[audio.path.name] = "restarted"

    async def spans(self, audio: Audio) -> int:
        """How many there are in all."""
        spans: list[Span] = []
        async with self.listener.find_speech(audio) as speech:
            while not (found := await speech.more()).done:
                spans += found.spans
        return len((*spans, *found.spans))

    def _make(self) -> FakeFinder:
        return FakeFinder(self.record)


@pytest.fixture
async def house(nursery: trio.Nursery, thread: FakeThread) -> House:
    house = House(thread)
    await house.open(nursery)
    return house


async def test_it_loads_at_the_first_need_and_finds_speech(house: House) -> None:
    assert house.record == []
    assert await house.spans(audio("a", 2)) == 2
    assert await house.spans(audio("b", 1)) == 1
    assert house.record == ["load", "a", "a", "b"]


async def test_an_audio_without_a_sample_has_an_answer_too(house: House) -> None:
    assert await house.spans(audio("a", 0)) == 1


async def test_warm_loads_before_anybody_asks(house: House) -> None:
    await house.listener.warm()
    await house.listener.warm()
    assert house.record == ["load"]


async def test_a_long_audio_does_not_starve_a_short_one(
    house: House, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    nursery.start_soon(house.find, audio("long", 4))
    await wait_all_tasks_blocked()
    nursery.start_soon(house.find, audio("short", 2))
    await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    assert house.record == ["load", "long", "long", "short", "long", "short", "long"]
    assert house.heard == {"long": 4, "short": 2}


async def test_a_caller_who_leaves_stops_it_at_the_next_block(
    house: House, thread: FakeThread
) -> None:
    thread.hold()
    async with trio.open_nursery() as caller:
        caller.start_soon(house.find, audio("film", 1000))
        await wait_all_tasks_blocked()
        caller.start_soon(house.find, audio("next", 1000))
        await wait_all_tasks_blocked()
        caller.cancel_scope.cancel()
    thread.release()
    await wait_all_tasks_blocked()
    assert house.record == ["load", "film"]


async def test_it_is_freed_when_it_has_idled_and_loaded_again_when_needed(
    house: House, autojump_clock: MockClock
) -> None:
    await house.spans(audio("a", 1))
    await pass_time(59)
    await house.listener.drop_idle(60)
    await house.spans(audio("b", 1))
    await pass_time(60)
    await house.listener.drop_idle(60)
    await house.listener.drop_idle(60)
    await house.spans(audio("c", 1))
    assert house.record == ["load", "a", "b", "load", "c"]


async def test_warming_counts_as_use(house: House, autojump_clock: MockClock) -> None:
    await pass_time(1000)
    await house.listener.warm()
    await house.listener.drop_idle(60)
    await house.listener.warm()
    assert house.record == ["load"]


async def test_it_is_not_freed_under_an_audio_that_is_being_heard(
    house: House, thread: FakeThread, nursery: trio.Nursery
) -> None:
    thread.hold()
    nursery.start_soon(house.find, audio("a", 3))
    await wait_all_tasks_blocked()
    nursery.start_soon(house.listener.drop_idle, 0)
    await wait_all_tasks_blocked()
    thread.release()
    await wait_all_tasks_blocked()
    await house.spans(audio("b", 1))
    assert house.record == ["load", "a", "a", "a", "b"]


async def test_a_crash_is_told_to_all_who_are_being_heard_and_unopened_mail_survives(
    house: House, thread: FakeThread, autojump_clock: MockClock
) -> None:
    thread.hold()
    async with trio.open_nursery() as callers:
        callers.start_soon(house.find, audio("cursed", 1))
        await wait_all_tasks_blocked()
        callers.start_soon(house.find, audio("later", 1))
        await wait_all_tasks_blocked()
        thread.release()
    assert house.heard == {"cursed": "restarted", "later": 1}
    assert house.record == ["load", "load", "later"]


async def test_what_is_found_is_told_block_by_block(house: House) -> None:
    async with house.listener.find_speech(audio("a", 3)) as speech:
        told = [await speech.more() for _ in range(3)]
    assert told == [
        Found((Span(0.0, 10.0),), 10.0, done=False),
        Found((Span(10.0, 20.0),), 20.0, done=False),
        Found((Span(20.0, 30.0),), 30.0, done=True),
    ]
