"""Where to reach a worker, what a tool is that it owns, and what may be said to it.

The actor itself is in ``workbench``.
"""

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, Self, TypeAlias, TypeVar

import trio

from asr.actors.keeper import refuse_mail
from asr.actors.messages import Reply
from asr.pipeline.errors import AsrError, EngineRestarted

Q = TypeVar("Q")
A = TypeVar("A")
W = TypeVar("W")
Q_contra = TypeVar("Q_contra", contravariant=True)
A_co = TypeVar("A_co", covariant=True)


class Task(Protocol[A_co]):
    """A question on its way through a tool: ``while not task.done: task.advance()``."""

    @property
    def done(self) -> bool: ...

    def advance(self) -> A_co:
        """Work one step more: what is news with it. Raises AsrError, which ends the task."""
        ...


class Tool(Protocol[Q_contra, A_co]):
    """A network: cheap to make, heavy to load, freed by letting go of it."""

    def load(self) -> None:
        """Have it in memory: seconds, in the thread that will use it. Raises AsrError."""
        ...

    def begin(self, question: Q_contra, /) -> Task[A_co] | None:
        """Take a question in; what is heavy is done by the task's steps. Raises AsrError.

        None if it has to wait until others that were taken in are done, or have left.

        The same question has the same steps each time: of a task that begins afresh, its asker is
        told what comes after the answers that it knows.
        """
        ...


class End(Enum):
    """What follows the last answer: a reply that is closed without it is cut off."""

    END = "that was all"


@dataclass(frozen=True, slots=True, eq=False)
class Ask(Generic[Q, A]):
    """Work on this question, and say after each step what is news."""

    question: Q
    reply: Reply[A | End]


@dataclass(frozen=True, slots=True, eq=False)
class Warm:
    """Load the tool."""

    reply: Reply[End]


@dataclass(frozen=True, slots=True, eq=False)
class DropIdle:
    """Free the tool if it was last used so long ago."""

    older_than_s: float
    reply: Reply[End]


WorkerMessage: TypeAlias = Ask[Q, A] | Warm | DropIdle


@dataclass(frozen=True, slots=True)
class Answers(Generic[A]):
    """What is news of a question, step by step, until it is done.

    Raises EngineRestarted where the worker crashed over it, and the AsrError that ended it.
    """

    _heard: trio.MemoryReceiveChannel[A | End | AsrError]

    @property
    def waiting(self) -> bool:
        """Whether there is more that has not been looked at."""
        return self._heard.statistics().current_buffer_used > 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> A:
        try:
            answer = await self._heard.receive()
        except trio.EndOfChannel:  # cut off
            raise EngineRestarted from None
        if isinstance(answer, AsrError):
            raise answer
        if isinstance(answer, End):
            raise StopAsyncIteration
        return answer


@dataclass(frozen=True, slots=True)
class Worker(Generic[Q, A]):
    """Where to reach a worker."""

    _post: trio.MemorySendChannel[WorkerMessage[Q, A]]

    @property
    def trouble(self) -> str:
        """Why it answers EngineRestarted, in words that follow its name."""
        gone = self._post.statistics().open_receive_channels == 0
        return "is out of order" if gone else "crashed over this request"

    @asynccontextmanager
    async def ask(self, question: Q, *, answers_max: int) -> AsyncIterator[Answers[A]]:
        """Have a question worked on; leaving the context ends that.

        A task that has more than ``answers_max`` answers is taken for crashed. Raises
        EngineRestarted.
        """
        reply = Reply[A | End](answers_max + 1)
        with reply.listening() as heard:
            await self._send(Ask(question, reply))
            yield Answers(heard)

    async def warm(self) -> None:
        """Have the tool in memory once this returns. Raises EngineRestarted, or as its load."""
        await self._order(Warm(Reply(1)))

    async def drop_idle(self, older_than_s: float, /) -> None:
        """Free the tool if nobody has used it for so long."""
        with suppress(EngineRestarted):  # what has crashed holds nothing any more
            await self._order(DropIdle(older_than_s, Reply(1)))

    async def _order(self, message: Warm | DropIdle) -> None:
        with message.reply.listening() as heard:
            await self._send(message)
            await anext(Answers(heard), None)

    async def _send(self, message: WorkerMessage[Q, A]) -> None:
        try:
            await self._post.send(message)
        except trio.BrokenResourceError:  # crashed for good
            raise EngineRestarted from None


@dataclass(slots=True, eq=False)
class Asked(Generic[Q, A]):
    """A question that is not done, and how many of its answers have been told."""

    question: Q
    reply: Reply[A | End]
    told: int = 0


@dataclass(frozen=True, slots=True)
class Intake(Generic[Q, A]):
    """What came in for a worker: mail unread, and questions not done. It outlives a crash.

    Everybody has a question or two, so there are no more than the queue lets requests in.
    """

    inbox: trio.MemoryReceiveChannel[WorkerMessage[Q, A]]
    waiting: deque[Asked[Q, A]] = field(default_factory=deque)

    def close(self) -> None:
        """There will be no worker any more: everybody hears so."""
        for asked in self.waiting:
            asked.reply.close()
        self.waiting.clear()
        refuse_mail(self.inbox)


def open_worker(
    address: Callable[[trio.MemorySendChannel[WorkerMessage[Q, A]]], W], mail_max: int
) -> tuple[W, Intake[Q, A]]:
    """A worker's address, with room for so many unread messages, and what its actor runs on."""
    post, inbox = trio.open_memory_channel[WorkerMessage[Q, A]](mail_max)
    return address(post), Intake(inbox)
