"""Those who do the jobs of a shared queue: take one, have it done, and say how it ended."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, TypeVar

import trio

from asr.actors.jobs.queue import TRIES_MAX, Run, dumped
from asr.actors.jobs.redis.inbox import WORK, Bell
from asr.actors.jobs.redis.words import job_of, lanes_of, told_of
from asr.actors.turns import OVERTAKEN_MAX
from asr.pipeline.errors import AsrError, Busy
from asr.pipeline.records import dump_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from asr.actors.jobs.doubt import Doubt
    from asr.actors.jobs.queue import Handler, Job, Leisure
    from asr.actors.jobs.redis.inbox import Inbox
    from asr.actors.jobs.redis.library import Library
    from asr.actors.jobs.redis.pool import Client

T = TypeVar("T")

log = logging.getLogger(__name__)

# How long a worker that is told to stop tries to say what becomes of its jobs.
LAST_WORDS_S = 5.0

# Everybody else waits while the server moves a value, so that none is large.
PIECE_BYTES = 512 << 10
LOST = -1  # what a job is not ended with, as the server has lost a piece of it
PIECE_KEPT_S = 3600  # until a job has ended with them, or nobody wants them

# A long job tells its progress less and less often, so that all of it together stays small:
# ten hours of work come to some three thousand events.
PROGRESS_EVERY_S = 0.5
PROGRESS_PART = 1 / 500

PROGRESS = "progress"

UNTOLD_MAX = 20_000  # words of events that the server could not be told: more than any outage

PAUSE_S = 1.0  # before the server is asked again that has just been away for a minute


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ends."""

    state: str
    result: bytes = b""
    failure: str = ""


@dataclass(eq=False, slots=True)
class Taken:
    """A job in our hands: ours as long as its token is the job's owner. It collects what is told.

    ``batch`` is what is being told now, until the server has said that it has it; then it is empty.
    """

    job: Job
    token: str
    tries: int
    told: Mapping[str, int]
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)
    bell: Bell = field(default_factory=Bell)
    batch: list[str] = field(default_factory=list)
    batches: int = 0
    _since_s: float = field(default_factory=trio.current_time)
    _events: list[str] = field(default_factory=list)
    _progress: str | None = None
    _progress_s: float = float("-inf")

    def tell(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event: of progress only the latest is told, and that not often."""
        if kind == PROGRESS:
            self._progress = dumped(data)
        else:
            self._events += (kind, dumped(data))
        if len(self._events) > UNTOLD_MAX:
            self.scope.cancel()
        self.bell.ring()

    def gather(self, *, last: bool = False) -> None:
        """Make a batch of what is to be told now, if there is anything."""
        self.batch, self._events = self._events, []
        if self._progress is not None and (last or self.wait_s() <= 0):
            self.batch += (PROGRESS, self._progress)
            self._progress, self._progress_s = None, trio.current_time()
        self.batches += bool(self.batch)

    def wait_s(self) -> float:
        """In how long there is progress to be told; inf: never."""
        if self._progress is None:
            return float("inf")
        now_s = trio.current_time()
        every_s = max(PROGRESS_EVERY_S, (now_s - self._since_s) * PROGRESS_PART)
        return max(0.0, self._progress_s + every_s - now_s)


@dataclass(frozen=True, slots=True)
class Hands:
    """What all slots of one ``work`` share. ``name`` begins with that of the process.

    Who asks for a job does so in the process's ``turn``: so two do not get one in ``doubt`` each.
    """

    client: Client
    library: Library
    inbox: Inbox
    doubt: Doubt
    turn: trio.Lock
    name: str
    lanes: Collection[str] | None
    handler: Handler
    leisure: Leisure

    async def work(self, slots: int, *, task_status: trio.TaskStatus[None]) -> None:
        """Do jobs, so many at a time."""
        async with trio.open_nursery() as nursery:
            for _ in range(slots):
                nursery.start_soon(self._serve)
            task_status.started()

    async def _serve(self) -> None:
        with self.inbox.listening(WORK) as bell:
            while True:
                await self.leisure()
                async with self.turn:
                    until_s = self.doubt.until_s
                    taken = await self._take()
                if taken is None:
                    with trio.move_on_at(until_s):
                        await bell.heard()
                    continue
                try:
                    await self._do(taken)
                finally:
                    self.doubt.end(taken)

    async def _take(self) -> Taken | None:
        """The job whose turn it is. Who leaves while one is on its way here sends it back."""
        token = token_hex(16)
        asked = (self.name, token, lanes_of(self.lanes), self.inbox.lease_s, OVERTAKEN_MAX)
        ask = partial(self.library.call, "take", *asked, int(bool(self.doubt)))
        try:
            answer = await patiently(ask)
        except trio.Cancelled:
            with trio.move_on_after(LAST_WORDS_S, shield=True), suppress(Busy):
                await self.library.call("untake", token)
            raise
        if answer is None:
            return None
        job_id, job, told = answer
        taken = Taken(job_of(job_id.decode(), job, job[7]), token, int(job[8]), told_of(told))
        self.doubt.begin(taken, lost=taken.tries - 1)
        return taken

    async def _do(self, taken: Taken) -> None:
        """Have a job done to its end, or put it back. Raises what the handler crashed of."""
        outcome: Outcome | None = None
        crashed = over = False
        with self.inbox.minding(taken.job.id, taken.token, taken.scope.cancel):
            try:
                with taken.scope:
                    outcome = await self._outcome(taken)
                    await patiently(partial(self._finish, taken, outcome))
                over = True  # or it is not ours any more
            except Exception:
                crashed = True
                raise
            finally:
                if not over:
                    with trio.move_on_after(LAST_WORDS_S, shield=True), suppress(Busy):
                        if outcome is not None:
                            await self._finish(taken, outcome)
                        else:
                            await self._put_back(taken, crashed=crashed)

    async def _outcome(self, taken: Taken) -> Outcome:
        """What the handler makes of a job, while what it tells is told."""
        run = Run(taken.job, taken.tries, taken.told, partial(self._hear, taken))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._tell, taken)
            made = await _made(self.handler, run)
            nursery.cancel_scope.cancel()
        if isinstance(made, Exception):
            raise made
        return made

    def _hear(self, taken: Taken, kind: str, data: Mapping[str, Any]) -> None:
        taken.tell(kind, data)
        self.doubt.told(taken, kind)

    async def _tell(self, taken: Taken) -> None:
        """Tell what there is, as soon as it is due."""
        while True:
            with trio.move_on_after(taken.wait_s()):
                await taken.bell.heard()
            await patiently(partial(self._tell_batch, taken))

    async def _tell_batch(self, taken: Taken) -> None:
        if not taken.batch:
            taken.gather()
        if taken.batch:
            told: tuple[str | int, ...] = (taken.job.id, taken.token, taken.batches, *taken.batch)
            if not await self.library.call("tell", *told):
                taken.scope.cancel()
            taken.batch = []

    async def _finish(self, taken: Taken, outcome: Outcome) -> None:
        """Say how a job ended. Said again, because the answer was lost, it changes nothing."""
        if taken.batch:
            await self._tell_batch(taken)
        taken.gather(last=True)
        ended = (taken.job.id, taken.token, outcome.state, outcome.failure)
        while True:
            result = await self._sent(taken.token, outcome.result)
            told = await self.library.call("finish", *ended, *result, taken.batches, *taken.batch)
            if told != LOST:
                return

    async def _sent(self, token: str, result: bytes) -> tuple[int, bytes]:
        """In how many pieces a result is there; one goes with the job's end itself."""
        if len(result) <= PIECE_BYTES:
            return 1, result
        starts = range(0, len(result), PIECE_BYTES)
        for number, start in enumerate(starts, 1):
            piece = result[start : start + PIECE_BYTES]
            await self.library.call("piece", token, number, piece, PIECE_KEPT_S)
        return len(starts), b""

    async def _put_back(self, taken: Taken, *, crashed: bool) -> None:
        """A job waits where it stood; what it told and nobody heard is told by its next try."""
        await self.library.call(
            "give_back",
            *(taken.job.id, taken.token, int(crashed), TRIES_MAX, self.inbox.poison),
        )


async def patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask a server until it answers: what is at work here has no better place to go."""
    while True:
        try:
            return await ask()
        except Busy as error:
            log.warning("%s", error.message)
        await trio.sleep(PAUSE_S)


async def _made(handler: Handler, run: Run) -> Outcome | Exception:
    try:
        return Outcome("done", result=await handler(run))
    except AsrError as error:
        return Outcome("failed", failure=dumped(dump_error(error)))
    except Exception as error:  # to be raised outside of the nursery, as it is
        return error
