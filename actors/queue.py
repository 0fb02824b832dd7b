"""The queue actor: owns the places of accepted requests, and says who may start.

A place is taken and given back synchronously, so the bound is exact and a cancelled caller leaves
nothing behind; who goes next is the actor's word alone.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass

import trio

from asr.actors.trail import stage
from asr.actors.turns import Priority, ServiceTime, Turns
from asr.pipeline.errors import Busy

# What a caller hears in place of a place in line when the time has come.
NOW = 0

# Told of a place in line, from 1, and when who has it may be done, in seconds.
WatchPlace = Callable[[int, float | None], None]


@dataclass(frozen=True, slots=True, eq=False)
class Enter:
    """Somebody wants a place. ``turn`` hears NOW when the time has come.

    Its other end is closed by a caller who leaves, early or done; ours, by an actor that refuses.
    Until then who is ``watched`` hears its place in line, from 1, whenever that has changed. Who is
    ``kept`` elsewhere was counted there.
    """

    client: str
    priority: Priority
    turn: trio.MemorySendChannel[int]
    watched: bool = False
    kept: bool = False

    @property
    def gone(self) -> bool:
        return self.turn.statistics().open_receive_channels == 0

    @property
    def read(self) -> bool:
        """Has the caller heard all that it was told?"""
        return self.turn.statistics().current_buffer_used == 0


@dataclass(frozen=True, slots=True)
class Left:
    """Somebody has closed a turn: look again. One that waits unread stands for all."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place among those that run, and how long its owner waited for it."""

    waited_s: float


@dataclass(frozen=True, slots=True)
class QueueStats:
    """How many requests wait and run, and how many may."""

    waiting: int
    running: int
    running_max: int
    waiting_max: int


class Queue:
    """Where to stand in line. Made by ``run_queue``."""

    def __init__(
        self, inbox: trio.MemorySendChannel[Enter | Left], *, running_max: int, waiting_max: int
    ) -> None:
        self._inbox = inbox
        self._running_max = running_max
        self._waiting_max = waiting_max
        self._places = trio.CapacityLimiter(running_max + waiting_max)
        self._kept = 0
        self._service_time = ServiceTime()

    @asynccontextmanager
    async def place(
        self,
        *,
        client: str,
        priority: Priority = Priority.INTERACTIVE,
        watch: WatchPlace | None = None,
        kept: bool = False,
    ) -> AsyncIterator[Place]:
        """Wait for a turn, and hold it until the context is left. Raises Busy at once if full.

        ``watch`` is told the place in line, at once and whenever that changes. Who is ``kept`` has
        waited elsewhere, and was counted there: it takes nobody's place, and only waits its turn.
        """
        came_s = trio.current_time()
        taken = self._kept_place() if kept else self._taken_place()
        watched = watch is not None
        with taken, self._line(client, priority, watched=watched, kept=kept) as turn:
            try:
                with stage("queue"):
                    while (place := await turn.receive()) != NOW:
                        if watch is not None:
                            watch(place, self._service_time.left_s(place, self._running_max))
            except trio.EndOfChannel:
                raise self._busy("this client holds all the places that it may") from None
            began_s = trio.current_time()
            try:
                yield Place(began_s - came_s)
            finally:
                self._service_time.record(trio.current_time() - began_s)

    def refuse_if_full(self) -> None:
        """Raise Busy if nobody could enter now: before an upload is read, not after."""
        if not self._places.available_tokens:
            raise self._busy("every place in the queue is taken")

    def stats(self) -> QueueStats:
        taken = int(self._places.borrowed_tokens) + self._kept
        # Nobody waits while there is room: the actor lets in whom it can before it sleeps.
        running = min(taken, self._running_max)
        return QueueStats(taken - running, running, self._running_max, self._waiting_max)

    @contextmanager
    def _taken_place(self) -> Iterator[None]:
        owner = object()
        try:
            self._places.acquire_on_behalf_of_nowait(owner)
        except trio.WouldBlock:
            raise self._busy("every place in the queue is taken") from None
        try:
            yield
        finally:
            self._places.release_on_behalf_of(owner)

    @contextmanager
    def _kept_place(self) -> Iterator[None]:
        self._kept += 1
        try:
            yield
        finally:
            self._kept -= 1

    @contextmanager
    def _line(
        self, client: str, priority: Priority, *, watched: bool, kept: bool
    ) -> Iterator[trio.MemoryReceiveChannel[int]]:
        tell, turn = trio.open_memory_channel[int](2)  # a place that is unread, and NOW
        if kept:
            client = f"{client}, kept"  # what is kept does not count among what its client asks
        try:
            self._inbox.send_nowait(Enter(client, priority, tell, watched, kept))
        except (trio.WouldBlock, trio.BrokenResourceError):
            # As many came and left again before the actor could look, or the house is closing.
            raise self._busy("too many requests at once") from None
        try:
            yield turn
        finally:
            turn.close()
            self._say_left()

    def _say_left(self) -> None:
        # Mail that is still unread will make the actor look, too: so this never needs room.
        if not self._inbox.statistics().current_buffer_used:
            with suppress(trio.BrokenResourceError):  # the house is closing: nobody waits any more
                self._inbox.send_nowait(Left())

    def _busy(self, why: str) -> Busy:
        backlog = self.stats().waiting + 1
        wait_s = self._service_time.retry_after_s(backlog, self._running_max)
        return Busy(f"The server is busy: {why}; try again later", retry_after_s=wait_s)


async def run_queue(
    *,
    running_max: int,
    waiting_max: int,
    client_max: int | None = None,
    task_status: trio.TaskStatus[Queue] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Let requests in, ``running_max`` at a time; ``started`` with the queue's address.

    ``client_max`` bounds the places of one client, waiting and running together. None by default:
    behind a proxy all requests come from one address.
    """
    # As many again as may run: those who are kept elsewhere come no more than that at a time.
    post, inbox = trio.open_memory_channel[Enter | Left](2 * running_max + waiting_max + 1)
    turns: Turns[Enter] = Turns(running_max, client_max=client_max)
    told: dict[Enter, int] = {}
    with inbox:
        task_status.started(Queue(post, running_max=running_max, waiting_max=waiting_max))
        async for message in inbox:
            if isinstance(message, Enter) and not turns.add(message, counted=not message.kept):
                message.turn.close()
            if not inbox.statistics().current_buffer_used:  # all that came are in the order
                for ticket in turns.admit():
                    ticket.turn.send_nowait(NOW)
                told = _tell_places(turns, told)


def _tell_places(turns: Turns[Enter], told: dict[Enter, int]) -> dict[Enter, int]:
    """Tell those who are watched their places in line, where these are news; what they know now."""
    if not any(ticket.watched for ticket in turns.waiting()):
        return {}
    known: dict[Enter, int] = {}
    for place, ticket in enumerate(turns.line(), 1):
        if not ticket.watched:
            continue
        if told.get(ticket) != place and ticket.read:
            ticket.turn.send_nowait(place)
            known[ticket] = place
        elif ticket in told:
            known[ticket] = told[ticket]
    return known
