"""The GPU actor: owns the engine, and the one thread that may touch it.

It never waits for company: the time that the GPU is busy is the time in which the next rows gather.
"""

from __future__ import annotations

import gc
import time
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, assert_never

import trio

from asr.actors.engine_turn import Turn, detect, take_turn
from asr.actors.messages import Decode, Detect, DropIdle, GpuMessage, Load, Reply, Unload, Unloaded
from asr.actors.meter import Meter
from asr.actors.request import Detection, Request
from asr.actors.supervisor import Explained
from asr.actors.thread import Hung
from asr.actors.trail import working_for
from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.gpu import Board, Intake
    from asr.actors.metrics import Metrics
    from asr.actors.thread import InThread
    from asr.actors.waiting import Waiting
    from asr.pipeline.engine import Engine, LoadedModel, Memory, ModelFolder, Said

T = TypeVar("T")


async def run_gpu(
    intake: Intake,
    make: Callable[[], Engine],
    in_thread: InThread,
    board: Board,
    metrics: Metrics,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Decode whatever waits until the inbox closes; what a crash left undone comes first."""
    engine = await in_thread(_make_afresh, make)
    intake.waiting.begin(engine.rows_max)
    working_for(intake.waiting.whose)
    task_status.started()
    try:
        await _work(intake.inbox, GpuActor(engine, in_thread, intake.waiting, board, metrics))
    finally:
        board.wipe(waiting=intake.waiting.windows)


async def _work(inbox: trio.MemoryReceiveChannel[GpuMessage], actor: GpuActor) -> None:
    while True:
        if not actor.waiting:
            try:
                await actor.take(await inbox.receive())
            except trio.EndOfChannel:
                return
        with suppress(trio.WouldBlock, trio.EndOfChannel):
            while True:  # rows that came together join together
                await actor.take(inbox.receive_nowait())
        if actor.waiting:
            await actor.turn()


@dataclass(slots=True)
class GpuActor:
    """The actor at work: one message or one turn of the batch at a time."""

    engine: Engine
    in_thread: InThread
    waiting: Waiting
    board: Board
    metrics: Metrics
    meter: Meter = field(default_factory=Meter)
    used_s: dict[str, float] = field(default_factory=dict)

    async def take(self, message: GpuMessage) -> None:
        """Do what can be done at once; what has to be computed waits for its turn."""
        match message:
            case Decode():
                self.waiting.add(_request(message), now_s=trio.current_time())
            case Detect():
                reply = message.reply
                detection = Detection(message.model, message.window, reply, whose=reply.whose)
                self.waiting.ask(detection)
            case Load():
                self._use(message.model)
                await self._answer(message.reply, partial(self.engine.load, message.model))
            case Unload():
                await self._answer(message.reply, partial(self._unload, message.name))
                self._show()  # rows may have left, and no turn may follow
            case DropIdle():
                idle = self._idle(message.older_than_s)
                await self._answer(message.reply, partial(_free, self.engine, idle))
            case _:
                assert_never(message)

    async def turn(self) -> None:
        """Languages are told, rows leave, rows join, and the batch takes a step.

        A crash on the way ends the actor: here it is only asked whose fault it was.
        """
        try:
            await self._detect()
            if self.waiting:
                await self._advance()
        except Hung:
            raise  # nobody is tried again
        except Exception as error:
            at_work = self.waiting.whose()
            working_for(lambda: at_work)  # until there is a new engine
            verdict = self.waiting.crashed()
            if verdict.explained:
                raise Explained(verdict.explained) from error
            raise
        self._show()

    async def _detect(self) -> None:
        while asked := self.waiting.next_detections():
            self._use(asked[0].model)
            told = await self._do(partial(detect, self.engine, asked))
            if told is not None:
                for detection, answer in told:
                    self.waiting.detected(detection, answer)
                return
            self.waiting.out_of_memory()  # and those who are left try again before rows do

    async def _advance(self) -> None:
        gone = self.waiting.forget_abandoned()
        now_s = trio.current_time()
        joining = self.waiting.next_rows(now_s=now_s)
        model = self.waiting.model
        self._show()
        turn = Turn(model, gone, joining, self.waiting.growing(now_s=now_s))
        said, refused, left_out, grown = await self._do(partial(take_turn, self.engine, turn))
        if model:
            self._use(model)
        if said is None:
            self.waiting.out_of_memory()
            return
        self.waiting.left_out(left_out)
        for row, error in refused:
            self.waiting.refuse(row, error)
        if joining and self.waiting.running:
            self.metrics.batch(self.waiting.running)
        for row, so_far in grown:
            self.waiting.grow(row, so_far, now_s=now_s)
        self._tell(said)

    def _tell(self, said: Said) -> None:
        self.metrics.tokens(said.tokens)
        self.meter.said(said.tokens)
        for row, hypothesis in said.finished:
            self.metrics.decoded(hypothesis.window.duration_s)
            self.waiting.finish(row, hypothesis)

    def _show(self) -> None:
        self.board.waiting, self.board.running = self.waiting.windows, self.waiting.running
        self.board.tokens_per_s = self.meter.tokens_per_s if self.waiting else 0.0

    async def _answer(self, reply: Reply[T], ask: Callable[[], T]) -> None:
        """Ask the engine; what a caller may hear of a failure, it hears."""
        with closing(reply):
            if reply.abandoned:
                return
            try:
                reply.send(await self._do(ask))
            except AsrError as error:
                reply.send(error)

    async def _do(self, work: Callable[[], T]) -> T:
        """Work in the engine's thread, and note what it took and what has become of memory."""
        done = await self.in_thread(_watched, self.engine, work)
        self.metrics.engine_busy(done.took_s)
        self.meter.worked(done.took_s)
        kept = {model.name for model in done.loaded}
        for model in self.board.loaded:
            if model.name not in kept:
                self.metrics.evicted(model.name)
        self.board.loaded, self.board.memory = done.loaded, done.memory
        return done.answer

    def _unload(self, name: str) -> Unloaded:
        """Free a model, in the thread; whoever waits for it would only have it loaded again."""
        if name not in {model.name for model in self.engine.loaded()}:
            return Unloaded.ABSENT
        self.engine.drop(self.waiting.forget_abandoned())  # who has just left wants it no more
        if self.waiting.wants(name):
            return Unloaded.IN_USE
        self.engine.unload(name)
        return Unloaded.FREED

    def _idle(self, older_than_s: float) -> tuple[str, ...]:
        """The models last used so long ago, that nobody waits for either."""
        latest_s = trio.current_time() - older_than_s
        names = (model.name for model in self.board.loaded)
        return tuple(
            name
            for name in names
            if self.used_s.get(name, 0.0) <= latest_s and not self.waiting.wants(name)
        )

    def _use(self, model: ModelFolder) -> None:
        self.used_s[model.name] = trio.current_time()


class Done(NamedTuple, Generic[T]):
    """A piece of work in the engine's thread, and how the engine stands after it."""

    answer: T
    took_s: float
    loaded: tuple[LoadedModel, ...]
    memory: Memory


def _watched(engine: Engine, work: Callable[[], T]) -> Done[T]:
    began_s = time.perf_counter()
    answer = work()
    return Done(answer, time.perf_counter() - began_s, engine.loaded(), engine.memory())


def _request(message: Decode) -> Request:
    return Request(
        message.model,
        message.windows,
        message.decoding,
        message.reply,
        priority=message.priority,
        grows=message.grows,
        whose=message.reply.whose,
    )


def _make_afresh(make: Callable[[], Engine]) -> Engine:
    """An engine, after the weights of a crashed one: its traceback's cycle keeps them until now."""
    gc.collect()
    return make()


def _free(engine: Engine, names: tuple[str, ...]) -> None:
    for name in names:
        engine.unload(name)
