"""A worker: owns one tool, which is a network or several, and the thread that it runs on.

It works on what it was asked in turns, a step of each, so that a long task never starves a short
one, and one whose asker has left costs no more than the step it is at. A crash costs the task that
was at work; the others begin afresh with the next tool, and their askers do not notice.
"""

import gc
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from functools import partial
from math import inf
from typing import Generic, NamedTuple, TypeVar, assert_never

import trio

from asr.actors.messages import Reply
from asr.actors.thread import InThread
from asr.actors.trail import working_for
from asr.actors.worker import Ask, Asked, DropIdle, End, Intake, Task, Tool, Warm, WorkerMessage
from asr.pipeline.errors import AsrError

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")


async def run_worker(
    intake: Intake[Q, A],
    make: Callable[[], Tool[Q, A]],
    in_thread: InThread,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Work on what is asked until the inbox closes; what a crash left undone comes first.

    The tool is made and loaded at the first need.
    """
    task_status.started()
    inbox, bench = intake.inbox, Bench(make, in_thread, intake.waiting)
    while True:
        if not bench.waiting:
            try:
                await bench.take(await inbox.receive())
            except trio.EndOfChannel:
                return
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:
                await bench.take(inbox.receive_nowait())
        if bench.waiting:
            await bench.step()


class Stepped(NamedTuple, Generic[A]):
    """What came of a step: no answer if there was nothing to do, or if it had been told before."""

    answers: tuple[A, ...]
    done: bool


@dataclass(slots=True, eq=False)
class Begun(Generic[A]):
    """A task on its way through the tool, and how many steps that was."""

    task: Task[A]
    steps: int = 0


@dataclass(slots=True)
class Bench(Generic[Q, A]):
    """The worker's tool, and the tasks that have begun: what is gone with a crash."""

    make: Callable[[], Tool[Q, A]]
    in_thread: InThread
    waiting: deque[Asked[Q, A]]
    tool: Tool[Q, A] | None = None
    loaded: bool = False
    used_s: float = 0.0
    begun: dict[Asked[Q, A], Begun[A]] = field(default_factory=dict)

    async def take(self, message: WorkerMessage[Q, A]) -> None:
        """Do what can be done at once; a question waits for its turn."""
        working_for(tuple)
        match message:
            case Ask():
                self.waiting.append(Asked(message.question, message.reply))
            case Warm():
                await self._follow(message.reply, self._loaded)
            case DropIdle():
                idle = self._idle_s >= message.older_than_s
                await self._follow(message.reply, self._let_go if idle else None)
            case _:
                assert_never(message)

    async def step(self) -> None:
        """A step of the question whose turn it is; it goes to the end, unless it is done."""
        asked = self.waiting.popleft()
        whose = asked.reply.whose
        working_for(lambda: (whose,))  # nothing of the question is kept by that
        with ExitStack() as over:
            over.callback(self._strike, asked)  # also after a crash, which is told to nobody else
            if await self._goes_on(asked):
                over.pop_all()
                self.waiting.append(asked)

    async def _goes_on(self, asked: Asked[Q, A]) -> bool:
        """Work on a question for a step and tell what is news; whether there is more to do."""
        if asked.reply.abandoned:
            return False
        try:
            news = await self._do(partial(self._advance, asked))
        except AsrError as error:
            asked.reply.send(error)
            return False
        except FileNotFoundError:
            if not asked.reply.abandoned:  # else the audio has gone with its asker
                raise
            return False
        for answer in news.answers:
            asked.reply.send(answer)
            asked.told += 1
        if news.done:
            asked.reply.send(End.END)
        return not news.done

    def _advance(self, asked: Asked[Q, A]) -> Stepped[A]:
        """One step more, in the thread."""
        begun = self.begun.get(asked)
        if begun is None:
            task = self._loaded().begin(asked.question)
            if task is None:
                return Stepped((), done=False)
            begun = self.begun[asked] = Begun(task)
        if begun.task.done:
            return Stepped((), done=True)
        answer = begun.task.advance()
        begun.steps += 1
        return Stepped((answer,) if begun.steps > asked.told else (), begun.task.done)

    def _strike(self, asked: Asked[Q, A]) -> None:
        """It is done, its asker has left, or it is to blame for a crash."""
        self.begun.pop(asked, None)
        asked.reply.close()

    async def _follow(self, reply: Reply[End], order: Callable[[], object] | None) -> None:
        """Do what was ordered, if anything has to be done, and say so."""
        with closing(reply):
            try:
                if order:
                    await self._do(order)
                reply.send(End.END)
            except AsrError as error:
                reply.send(error)

    @property
    def _idle_s(self) -> float:
        """For how long nobody has used what is in memory."""
        if self.tool is None or self.waiting:
            return -inf
        return trio.current_time() - self.used_s

    def _loaded(self) -> Tool[Q, A]:
        """The tool, in memory."""
        if self.tool is None:
            gc.collect()  # one that crashed is kept by its traceback's cycle until now
            self.tool = self.make()
        if not self.loaded:
            self.tool.load()
            self.loaded = True
        return self.tool

    def _let_go(self) -> None:
        self.tool, self.loaded = None, False
        gc.collect()  # a network is full of cycles

    async def _do(self, work: Callable[[], T]) -> T:
        """Work in the tool's thread; that counts as use."""
        try:
            return await self.in_thread(work)
        finally:
            self.used_s = trio.current_time()
