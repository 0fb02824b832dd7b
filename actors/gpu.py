"""Where to reach the GPU actor: what others may ask of it, and what they may see of it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, TypeVar

import trio

from asr.actors.keeper import refuse_mail
from asr.actors.messages import Decode, Detect, DropIdle, GpuMessage, Load, Reply, Unload, Unloaded
from asr.actors.request import Heard
from asr.actors.turns import Priority
from asr.actors.waiting import Waiting
from asr.pipeline.engine import Growing, LoadedModel, Memory, ModelFolder
from asr.pipeline.errors import AsrError, Busy, EngineRestarted
from asr.pipeline.types import Decoding, Detected, Hypothesis, Window

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

NO_MEMORY = Memory(0, 0, 0)

# Messages that wait unread. The queue lets far fewer requests in than this, and each has at most
# one message under way; it bounds what a bug could pile up.
INBOX_MAX = 256


@dataclass(slots=True)
class Board:
    """What the actor lets others see: written by it alone."""

    loaded: tuple[LoadedModel, ...] = ()
    memory: Memory = NO_MEMORY
    waiting: int = 0  # windows
    running: int = 0
    tokens_per_s: float = 0.0

    def names(self) -> tuple[str, ...]:
        """The models in memory."""
        return tuple(model.name for model in self.loaded)

    def wipe(self, *, waiting: int) -> None:
        """There is no engine any more, nor anything in it; so many windows wait for the next."""
        self.loaded, self.memory = (), NO_MEMORY
        self.waiting, self.running, self.tokens_per_s = waiting, 0, 0.0


@dataclass(frozen=True, slots=True)
class Intake:
    """What came in for the actor: mail unread, and requests not answered. It outlives a crash."""

    inbox: trio.MemoryReceiveChannel[GpuMessage]
    waiting: Waiting

    def close(self) -> None:
        """There will be no actor any more: everybody hears so."""
        self.waiting.close()
        refuse_mail(self.inbox)


@dataclass(frozen=True, slots=True)
class Gpu:
    """Where to reach the GPU actor."""

    _post: trio.MemorySendChannel[GpuMessage]
    board: Board

    async def decode(
        self,
        model: ModelFolder,
        windows: tuple[Window, ...],
        decoding: Decoding,
        *,
        priority: Priority = Priority.INTERACTIVE,
        heard: Callable[[Heard], None] = lambda _: None,
        growing: Callable[[Growing], None] | None = None,
    ) -> list[Hypothesis]:
        """What is said in the windows, in their order; ``heard`` gets each window's as it comes.

        A window has one hypothesis, and one more for each rest that was heard again. ``growing``
        sees the text so far of the first window that is not done, whenever it has seen the last
        one: it may skip some, and text may be taken back, for a window that goes wrong is begun
        again.

        Leaving early is how a caller says never mind: its rows leave the batch at the next step.
        Raises Busy, EngineRestarted, InvalidRequest, ModelUnavailable, NotEnoughMemory or Poisoned.
        """
        if not windows:
            return []
        answers: list[Heard] = []
        reply = Reply[Heard | Growing](len(windows) + 1)  # one a window, and a text that grows
        with reply.listening() as hear:
            grows = growing is not None
            self._send(Decode(model, windows, decoding, reply, priority, grows))
            async for answer in hear:
                if isinstance(answer, AsrError):
                    raise answer
                if not isinstance(answer, Growing):
                    answers.append(answer)
                    heard(answer)
                elif growing is not None:
                    growing(answer)
        if len(answers) < len(windows):
            raise EngineRestarted
        return list(chain.from_iterable(answers))

    async def detect(self, model: ModelFolder, window: Window) -> Detected:
        """The language spoken in a window; goes ahead of what waits to be decoded."""
        reply = Reply[Detected](1)
        return await self._ask(Detect(model, window, reply), reply)

    async def load(self, model: ModelFolder) -> None:
        """Have a model in memory once this returns."""
        reply = Reply[None](1)
        await self._ask(Load(model, reply), reply)

    async def unload(self, name: str) -> Unloaded:
        """Free a model that nobody is using; raises Busy or EngineRestarted."""
        reply = Reply[Unloaded](1)
        return await self._ask(Unload(name, reply), reply)

    async def drop_idle(self, older_than_s: float, /) -> None:
        """Free the models that nobody has used for so long."""
        reply = Reply[None](1)
        with suppress(EngineRestarted, Busy):  # what has crashed holds nothing; what is busy, all
            await self._ask(DropIdle(older_than_s, reply), reply)

    async def _ask(self, message: GpuMessage, reply: Reply[T]) -> T:
        with reply.listening() as hear:
            self._send(message)
            try:
                answer = await hear.receive()
            except trio.EndOfChannel:
                raise EngineRestarted from None
        if isinstance(answer, AsrError):
            raise answer
        return answer

    def _send(self, message: GpuMessage) -> None:
        try:
            self._post.send_nowait(message)
        except trio.WouldBlock:
            raise Busy("The engine has too much to do; try again later", retry_after_s=10) from None
        except trio.BrokenResourceError:
            raise EngineRestarted from None


def open_gpu() -> tuple[Gpu, Intake]:
    """An address, and what comes in by it."""
    post, inbox = trio.open_memory_channel[GpuMessage](INBOX_MAX)
    return Gpu(post, Board()), Intake(inbox, Waiting())
