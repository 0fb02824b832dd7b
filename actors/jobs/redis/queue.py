"""The queue that machines share: in Redis or Valkey, by functions that are whole or not at all.

``functions.lua`` says how it lies there, and the other texts beside it go on. Jobs at work are
leased: their process says again and again that it has them, and each hand-out has a token of its
own, without which nothing is written. What was told before an answer was lost on its way is not
told twice.

How safe an accepted job is depends on the server: ``appendfsync always`` outlives a loss of power,
``everysec`` may lose the last second. A job that is not durable is over with the process that
submitted it, as soon as that has not been heard of for two leases.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.doubt import Doubt
from asr.actors.jobs.queue import (
    Bounds,
    ClientBusy,
    Notice,
    Poison,
    QueueFull,
    QueueUnavailable,
    Stats,
    UnknownJob,
    dumped,
)
from asr.actors.jobs.redis.client import connect, look_after
from asr.actors.jobs.redis.hands import Hands
from asr.actors.jobs.redis.inbox import NOTICE, WORK, Inbox
from asr.actors.jobs.redis.library import Library
from asr.actors.jobs.redis.words import events_of, standing_of
from asr.actors.turns import OVERTAKEN_MAX
from asr.pipeline.records import dump_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence

    from asr.actors.jobs.queue import Event, Handler, Job, Leisure, Standing
    from asr.actors.jobs.redis.pool import Client

log = logging.getLogger(__name__)

RETRY_AFTER_S = 10.0
EVENTS_AT_ONCE = 256
GOODBYE_S = 2.0

# A notice may come due while a hint is lost: who waits for one looks again so often.
LOOK_AGAIN_S = 60.0


class RedisQueue:
    """A JobQueue, see there. Made by ``open_redis``."""

    def __init__(self, client: Client, library: Library, inbox: Inbox, bounds: Bounds) -> None:
        self._client = client
        self._library = library
        self._inbox = inbox
        self._bounds = bounds
        self._doubt = Doubt(partial(inbox.ring, WORK))
        self._turn = trio.Lock()
        self._workers = 0

    @property
    def process(self) -> str:
        """The name of this process in the queue."""
        return self._inbox.process

    async def submit(self, job: Job) -> bool:
        """Take a job in: see ``JobQueue``."""
        bounds = self._bounds
        share = "" if bounds.client_max is None else bounds.client_max
        answer = await self._library.call(
            "submit",
            *(job.id, token_hex(8), self.process, job.client, job.lane, int(job.priority)),
            *(int(job.durable), job.webhook or "", dumped(job.label), job.created_s, job.work),
            *(bounds.durable_max, bounds.held_max, share),
        )
        if answer == b"full":
            raise QueueFull(RETRY_AFTER_S)
        if answer == b"share":
            raise ClientBusy(RETRY_AFTER_S)
        return bool(answer == b"new")

    async def standing(self, job_id: str) -> Standing:
        """How a job stands. Raises UnknownJob."""
        words = await self._library.call("standing", job_id, OVERTAKEN_MAX)
        if words is None:
            raise UnknownJob
        return standing_of(words)

    async def list(
        self, *, client: str | None = None, after: str = "", limit: int = 100
    ) -> Sequence[Standing]:
        """Durable jobs, the newest first, without their work. UnknownJob for one to begin after."""
        whose = "*" if client is None else f"={client}"
        found = await self._library.call("list", whose, after, limit, OVERTAKEN_MAX)
        if found == -1:
            raise UnknownJob
        return tuple(standing_of(words) for words in found)

    @asynccontextmanager
    async def events(self, job_id: str, *, after: int = 0) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of a job after a number: see ``JobQueue``."""
        with self._inbox.listening("job", job_id) as bell:
            first = await self._events_after(job_id, after)
            news = self._news(job_id, after, first, bell.heard)
            try:
                yield news
            finally:
                await news.aclose()

    async def _news(self, job_id: str, after: int, first: Page, more: Heard) -> News:
        over, page = first
        while True:
            for event in page:
                after = event.number
                yield event
            if over:
                return
            if len(page) < EVENTS_AT_ONCE:  # that was all, and it rings for what comes after it
                await more()
            over, page = await self._events_after(job_id, after)

    async def _events_after(self, job_id: str, after: int) -> Page:
        """Whether that is all there will be, and some events."""
        answer = await self._library.call("events", job_id, self.process, after, EVENTS_AT_ONCE)
        if answer is None:
            raise UnknownJob
        over, told = answer
        return bool(over), events_of(told)

    async def result(self, job_id: str) -> bytes:
        """What the handler returned. Raises UnknownJob, also for a job that is not done."""
        count = await self._library.call("result", job_id)
        pieces = [
            await self._client.get(f"{self._library.prefix}result:{job_id}:{number}")
            for number in range(1, count + 1)
        ]
        if not pieces or None in pieces:
            raise UnknownJob
        return b"".join(piece for piece in pieces if piece)

    async def cancel(self, job_id: str) -> bool:
        """End a job that has not ended; False if it has. UnknownJob."""
        answer = await self._library.call("cancel", job_id, token_hex(8))
        if answer == -1:
            raise UnknownJob
        return bool(answer)

    async def forget(self, job_id: str) -> None:
        """Delete all there is of a job; one that has not ended is cancelled first. UnknownJob."""
        if await self._library.call("forget", job_id) == -1:
            raise UnknownJob

    async def ended(self, *, before_s: float, limit: int = 100) -> Sequence[str]:
        """Ids of jobs that ended before that time, or are more than are kept: the oldest first."""
        found = await self._library.call("ended", before_s, limit, self._bounds.ended_max)
        return tuple(job_id.decode() for job_id in found)

    async def stats(self) -> Stats:
        """How many jobs wait and run."""
        waiting, running, oldest_s, held = await self._library.call("stats")
        waiting_max = self._bounds.durable_max + self._bounds.held_max
        return Stats(waiting, running, waiting_max, oldest_s=float(oldest_s), held=held)

    async def work(
        self,
        handler: Handler,
        *,
        slots: int,
        lanes: Collection[str] | None = None,
        leisure: Leisure = trio.lowlevel.checkpoint,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Do jobs until cancelled, or until the handler crashes: see ``JobQueue``."""
        self._workers += 1
        name = f"{self.process}/{self._workers}"
        ours = (self._client, self._library, self._inbox, self._doubt, self._turn)
        hands = Hands(*ours, name, lanes, handler, leisure)
        await hands.work(slots, task_status=task_status)

    async def take_notice(self, *, lease_s: float) -> Notice:
        """The next notice that is due; waits for one."""
        with self._inbox.listening(NOTICE) as bell:
            while True:
                answer = await self._library.call("take_notice", self.process, lease_s)
                if len(answer) == 3:
                    job_id, address, attempt = answer
                    return Notice(job_id.decode(), address.decode(), attempt)
                due_s = float(answer[0] or LOOK_AGAIN_S)
                with trio.move_on_after(min(due_s, LOOK_AGAIN_S)):
                    await bell.heard()

    async def settle(self, notice: Notice, *, again_s: float | None = None) -> None:
        """A notice has been given, or will be tried again at that time (Unix)."""
        again = "" if again_s is None else again_s
        await self._library.call("settle", notice.job_id, notice.attempt, again)


@asynccontextmanager
async def open_redis(
    url: str, bounds: Bounds, *, name: str = "jobs", lease_s: float = 15.0
) -> AsyncIterator[RedisQueue]:
    """The queue ``name`` at a server. A worker not heard of for ``lease_s`` has lost its jobs.

    Raises QueueUnavailable, and NoClient where what speaks to the server is not installed.
    """
    async with connect(url) as client:
        library = Library(client, name)
        await library.load()
        await look_after(client)
        poison = dumped(dump_error(Poison()))
        inbox = Inbox(client, library, token_hex(8), lease_s=lease_s, poison=poison)
        await inbox.beat()
        try:
            async with inbox.open():
                yield RedisQueue(client, library, inbox, bounds)
        finally:
            with trio.move_on_after(GOODBYE_S, shield=True):
                await _leave(inbox)


async def _leave(inbox: Inbox) -> None:
    try:
        await inbox.leave()
    except QueueUnavailable:
        log.warning("the queue's server does not hear that we leave")


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    Page: TypeAlias = tuple[bool, list[Event]]
    News: TypeAlias = AsyncGenerator[Event, None]
    Heard: TypeAlias = Callable[[], Awaitable[None]]
