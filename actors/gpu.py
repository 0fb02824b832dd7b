"""The GPU actor: owns the engine, and the one thread that may touch it.

It never waits for company: the time that the GPU is busy is the time in which the next rows gather.
"""

from __future__ import annotations

import gc
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeAlias, TypeVar, assert_never

import trio

from asr.actors.messages import Decode, Detect, DropIdle, GpuMessage, Load, Reply
from asr.actors.waiting import Waiting
from asr.pipeline.engine import Engine, LoadedModel, Memory, ModelFolder, Row
from asr.pipeline.errors import AsrError, Busy, EngineRestarted
from asr.pipeline.types import Decoding, Detected, Hypothesis, Window

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.metrics import Metrics
    from asr.actors.thread import InThread

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
    waiting: int = 0
    running: int = 0

    def wipe(self) -> None:
        """There is no engine any more, nor anything in it."""
        self.loaded, self.memory, self.waiting, self.running = (), NO_MEMORY, 0, 0


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
        heard: Callable[[Hypothesis], None] = lambda _: None,
    ) -> list[Hypothesis]:
        """What is said in the windows, in their order; ``heard`` gets each as soon as it is known.

        Leaving early is how a caller says never mind: its rows leave the batch at the next step.
        Raises Busy, EngineRestarted, InvalidRequest or ModelUnavailable.
        """
        if not windows:
            return []
        answers: list[Hypothesis] = []
        tell, hear = trio.open_memory_channel[Hypothesis | AsrError](len(windows))
        with hear:
            self._send(Decode(model, windows, decoding, Reply(tell)))
            async for answer in hear:
                if isinstance(answer, AsrError):
                    raise answer
                heard(answer)
                answers.append(answer)
        if len(answers) < len(windows):
            raise EngineRestarted
        return sorted(answers, key=lambda answer: answer.window.start_s)

    async def detect(self, model: ModelFolder, window: Window) -> Detected:
        """The language spoken in a window; goes ahead of what waits to be decoded."""
        tell, hear = trio.open_memory_channel[Detected | AsrError](1)
        return await self._ask(Detect(model, window, Reply(tell)), hear)

    async def load(self, model: ModelFolder) -> None:
        """Have a model in memory once this returns."""
        tell, hear = trio.open_memory_channel[None | AsrError](1)
        await self._ask(Load(model, Reply(tell)), hear)

    async def drop_idle(self, older_than_s: float, /) -> None:
        """Free the models that nobody has used for so long."""
        tell, hear = trio.open_memory_channel[None | AsrError](1)
        with suppress(EngineRestarted, Busy):  # what has crashed holds nothing; what is busy, all
            await self._ask(DropIdle(older_than_s, Reply(tell)), hear)

    async def _ask(self, message: GpuMessage, hear: trio.MemoryReceiveChannel[T | AsrError]) -> T:
        with hear:
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
            raise Busy("The engine has too much mail", retry_after_s=10) from None
        except trio.BrokenResourceError:
            raise EngineRestarted from None


def open_gpu() -> tuple[Gpu, trio.MemoryReceiveChannel[GpuMessage]]:
    """An address, and the inbox behind it, which outlives a crash of the actor."""
    post, inbox = trio.open_memory_channel[GpuMessage](INBOX_MAX)
    return Gpu(post, Board()), inbox


async def run_gpu(
    inbox: trio.MemoryReceiveChannel[GpuMessage],
    make: Callable[[], Engine],
    in_thread: InThread,
    board: Board,
    metrics: Metrics,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Decode whatever waits until the inbox closes."""
    engine = await in_thread(_make_afresh, make)
    task_status.started()
    try:
        with Waiting(engine.rows_max) as waiting:
            await _work(inbox, Desk(engine, in_thread, waiting, board, metrics))
    finally:
        board.wipe()


async def _work(inbox: trio.MemoryReceiveChannel[GpuMessage], desk: Desk) -> None:
    async for message in inbox:
        await desk.take(message)
        while desk.waiting:
            with suppress(trio.WouldBlock, trio.EndOfChannel):
                while True:  # rows that came together join together
                    await desk.take(inbox.receive_nowait())
            await desk.turn()


@dataclass(slots=True)
class Desk:
    """The actor at work: one message or one turn of the batch at a time."""

    engine: Engine
    in_thread: InThread
    waiting: Waiting
    board: Board
    metrics: Metrics
    used_s: dict[str, float] = field(default_factory=dict)

    async def take(self, message: GpuMessage) -> None:
        """Do what can be done at once; what has to be decoded waits for its turns."""
        match message:
            case Decode():
                rows = [
                    Row(window, message.decoding, message.decoding.temperatures[0])
                    for window in message.windows
                ]
                self.waiting.add(message.model, rows, message.reply)
            case Detect():
                self._use(message.model)
                ask = partial(self.engine.detect, message.model, message.window)
                await self._answer(message.reply, ask)
            case Load():
                self._use(message.model)
                await self._answer(message.reply, partial(self.engine.load, message.model))
            case DropIdle():
                idle = self._idle(message.older_than_s)
                await self._answer(message.reply, partial(_unload, self.engine, idle))
            case _:
                assert_never(message)

    async def turn(self) -> None:
        """Rows leave, rows join, and the batch takes a few steps."""
        gone = self.waiting.forget_abandoned()
        joining = self.waiting.next_rows()
        self._show()
        refused, finished = await self._do(partial(_turn, self.engine, gone, joining))
        if model := self.waiting.model:
            self._use(model)
        for row, error in refused:
            self.waiting.refuse(row, error)
        if joining and self.waiting.running:
            self.metrics.batch(self.waiting.running)
        for row, hypothesis in finished:
            self.metrics.tokens(sum(len(piece.tokens) for piece in hypothesis.pieces))
            self.waiting.finish(row, hypothesis)
        self._show()

    def _show(self) -> None:
        self.board.waiting, self.board.running = self.waiting.windows, self.waiting.running

    async def _answer(self, reply: Reply[T], ask: Callable[[], T]) -> None:
        """Ask the engine; what a caller may hear of a failure, it hears."""
        with reply.channel:
            if reply.abandoned:
                return
            try:
                reply.send(await self._do(ask))
            except AsrError as error:
                reply.send(error)
            except FileNotFoundError:
                if not reply.abandoned:  # else the audio has gone with its caller
                    raise

    async def _do(self, work: Callable[[], T]) -> T:
        """Work in the engine's thread, and put on the board what has become of its memory."""
        done, loaded, memory = await self.in_thread(_done_and_seen, self.engine, work)
        kept = {model.name for model in loaded}
        for model in self.board.loaded:
            if model.name not in kept:
                self.metrics.evicted(model.name)
        self.board.loaded, self.board.memory = loaded, memory
        return done

    def _idle(self, older_than_s: float) -> tuple[str, ...]:
        """The models last used so long ago; none while there is work."""
        if self.waiting:
            return ()
        latest_s = trio.current_time() - older_than_s
        names = (model.name for model in self.board.loaded)
        return tuple(name for name in names if self.used_s.get(name, 0.0) <= latest_s)

    def _use(self, model: ModelFolder) -> None:
        self.used_s[model.name] = trio.current_time()


Refused: TypeAlias = list[tuple[Row, AsrError]]
Finished: TypeAlias = tuple[tuple[Row, Hypothesis], ...]


def _turn(
    engine: Engine, gone: tuple[Row, ...], joining: tuple[ModelFolder, tuple[Row, ...]] | None
) -> tuple[Refused, Finished]:
    """One turn of the engine, in its thread: who was refused, and who finished."""
    engine.drop(gone)
    refused: Refused = []
    if joining:
        model, rows = joining
        refused = [(row, error) for row in rows if (error := _refusal(engine, model, row))]
        barred = {row for row, _ in refused}
        refused += _admit(engine, model, [row for row in rows if row not in barred])
    return refused, engine.advance()


def _admit(engine: Engine, model: ModelFolder, rows: list[Row]) -> Refused:
    """Let rows join, and say which could not: audio goes with its caller, at any moment."""
    try:
        if rows:
            engine.admit(model, rows)
    except FileNotFoundError:
        left = [row for row in rows if row.window.audio.path.exists()]
        if len(left) == len(rows):
            raise
        gone = [row for row in rows if row not in left]
        return [*((row, EngineRestarted()) for row in gone), *_admit(engine, model, left)]
    return []


def _refusal(engine: Engine, model: ModelFolder, row: Row) -> AsrError | None:
    """Why the model cannot do this row, if it cannot: bad input must not stop the others."""
    try:
        engine.check(model, row.decoding)
    except AsrError as error:
        return error
    return None


def _make_afresh(make: Callable[[], Engine]) -> Engine:
    """An engine, after the weights of a crashed one: its traceback's cycle keeps them until now."""
    gc.collect()
    return make()


def _unload(engine: Engine, names: tuple[str, ...]) -> None:
    for name in names:
        engine.unload(name)


def _done_and_seen(
    engine: Engine, work: Callable[[], T]
) -> tuple[T, tuple[LoadedModel, ...], Memory]:
    return work(), engine.loaded(), engine.memory()
