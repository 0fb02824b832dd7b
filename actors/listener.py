"""The listener: owns the voice activity network and the thread that it runs on.

It hears the audios that it was given in turns, a block of each, so that a long one never starves a
short one, and one whose asker has left costs no more than the block it is at.
"""

import gc
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from math import ceil
from types import TracebackType
from typing import Protocol, Self, TypeAlias, TypeVar, assert_never

import trio

from asr.actors.thread import InThread
from asr.pipeline.audio import Audio
from asr.pipeline.errors import EngineRestarted
from asr.pipeline.types import Span

T = TypeVar("T")


class Scan(Protocol):
    """One audio on its way through the network."""

    @property
    def done(self) -> bool: ...

    @property
    def done_s(self) -> float:
        """Seconds of the audio that have been heard."""
        ...

    def advance(self) -> tuple[Span, ...]:
        """Hear one block more: where somebody speaks, as far as that has ended in it."""
        ...


class Finder(Protocol):
    """The network: cheap to make, heavy to load, freed by letting go of it."""

    def load(self) -> None: ...

    def scan(self, audio: Audio, /) -> Scan: ...


@dataclass(frozen=True, slots=True)
class Found:
    """Where somebody speaks, as far as that is news; ``until_s`` has been heard, or all of it."""

    spans: tuple[Span, ...]
    until_s: float
    done: bool


@dataclass(frozen=True, slots=True, eq=False)
class FindSpeech:
    """Say where somebody speaks, after each block."""

    audio: Audio
    reply: trio.MemorySendChannel[Found]

    @property
    def abandoned(self) -> bool:
        return self.reply.statistics().open_receive_channels == 0


@dataclass(frozen=True, slots=True, eq=False)
class Warm:
    """Load the network."""

    reply: trio.MemorySendChannel[None]


@dataclass(frozen=True, slots=True, eq=False)
class DropIdle:
    """Free the network if it was last used so long ago."""

    older_than_s: float
    reply: trio.MemorySendChannel[None]


ListenerMessage: TypeAlias = FindSpeech | Warm | DropIdle


@dataclass(frozen=True, slots=True)
class Speech:
    """What is found of an audio, block by block and in order of time."""

    _found: trio.MemoryReceiveChannel[Found]

    @property
    def waiting(self) -> bool:
        """Whether there is more that has not been looked at."""
        return self._found.statistics().current_buffer_used > 0

    async def more(self) -> Found:
        """What was found next; nothing comes after what is done. Raises EngineRestarted."""
        try:
            return await self._found.receive()
        except trio.EndOfChannel:
            raise EngineRestarted from None


@dataclass(frozen=True, slots=True)
class Listener:
    """Where to reach the listener."""

    _post: trio.MemorySendChannel[ListenerMessage]

    @asynccontextmanager
    async def find_speech(self, audio: Audio) -> AsyncIterator[Speech]:
        """Have an audio heard; leaving the context ends that. Raises EngineRestarted."""
        blocks_max = ceil(audio.duration_s) + 2  # a block is a second at least
        reply, found = trio.open_memory_channel[Found](blocks_max)
        with found:
            try:
                await self._post.send(FindSpeech(audio, reply))
            except trio.BrokenResourceError:  # crashed for good
                raise EngineRestarted from None
            yield Speech(found)

    async def warm(self) -> None:
        """Have the network in memory once this returns. Raises EngineRestarted."""
        reply, answer = trio.open_memory_channel[None](1)
        await self._ask(Warm(reply), answer)

    async def drop_idle(self, older_than_s: float, /) -> None:
        """Free the network if nobody has used it for so long."""
        reply, answer = trio.open_memory_channel[None](1)
        with suppress(EngineRestarted):  # what has crashed holds nothing any more
            await self._ask(DropIdle(older_than_s, reply), answer)

    async def _ask(self, message: ListenerMessage, answer: trio.MemoryReceiveChannel[T]) -> T:
        with answer:
            try:
                await self._post.send(message)
                return await answer.receive()
            except (trio.EndOfChannel, trio.BrokenResourceError):  # crashed now, or for good
                raise EngineRestarted from None


async def run_listener(
    inbox: trio.MemoryReceiveChannel[ListenerMessage],
    make: Callable[[], Finder],
    in_thread: InThread,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Hear what is asked, block by block, until the inbox closes; loads at the first need."""
    task_status.started()
    with Ear(make, in_thread) as ear:
        async for message in inbox:
            await ear.take(message)
            while ear.busy:
                await ear.hear_one_block()
                with suppress(trio.WouldBlock, trio.EndOfChannel):
                    await ear.take(inbox.receive_nowait())


@dataclass(slots=True, eq=False)
class Hearing:
    """An audio that somebody wants heard, and how far that is: no scan before its first block."""

    asked: FindSpeech
    scan: Scan | None = None


@dataclass(slots=True)
class Ear:
    """The network, and the audios that are being heard. Leaving tells everyone who waits."""

    make: Callable[[], Finder]
    in_thread: InThread
    finder: Finder | None = None
    used_s: float = 0.0
    hearings: deque[Hearing] = field(default_factory=deque)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        for hearing in self.hearings:
            hearing.asked.reply.close()

    @property
    def busy(self) -> bool:
        return bool(self.hearings)

    async def take(self, message: ListenerMessage) -> None:
        match message:
            case FindSpeech():
                self.hearings.append(Hearing(message))
            case Warm():
                with message.reply:
                    await self.in_thread(self._loaded)
                    self.used_s = trio.current_time()
                    self._answer(message.reply, None)
            case DropIdle():
                with message.reply:
                    await self._drop_idle(message.older_than_s)
                    self._answer(message.reply, None)
            case _:
                assert_never(message)

    async def hear_one_block(self) -> None:
        """A block of the audio whose turn it is; it goes to the end, unless it is done."""
        hearing = self.hearings[0]  # stays in sight, to be told if this crashes
        if hearing.asked.abandoned:
            self.hearings.popleft()
            return
        try:
            found = await self.in_thread(self._advance, hearing)
        except FileNotFoundError:
            if not hearing.asked.abandoned:  # else the audio has gone with its caller
                raise
            self.hearings.popleft()
            return
        self.used_s = trio.current_time()
        self.hearings.rotate(-1)
        if found.done:
            self.hearings.pop()
        self._answer(hearing.asked.reply, found)

    def _advance(self, hearing: Hearing) -> Found:
        """One block more, in the thread."""
        if hearing.scan is None:
            hearing.scan = self._loaded().scan(hearing.asked.audio)
        scan = hearing.scan
        spans = scan.advance()
        return Found(spans, scan.done_s, scan.done)

    def _loaded(self) -> Finder:
        if self.finder is None:
            self.finder = self.make()
        self.finder.load()
        return self.finder

    async def _drop_idle(self, older_than_s: float) -> None:
        idle_s = trio.current_time() - self.used_s
        if self.finder is not None and not self.hearings and idle_s >= older_than_s:
            self.finder = None
            await self.in_thread(gc.collect)  # a network is full of cycles

    def _answer(self, reply: trio.MemorySendChannel[T], answer: T) -> None:
        with suppress(trio.BrokenResourceError):  # the asker has left
            reply.send_nowait(answer)
