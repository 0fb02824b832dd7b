"""Who goes next: the decisions of the queue. No await and no clock, so every order can be tried."""

from __future__ import annotations

import sys
from collections import deque
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

# A batch ticket goes after so many interactive ones have passed it: late, but never starved.
OVERTAKEN_MAX = 4

# Of the latest service time in the average: about the last five requests count.
NEWEST_WEIGHT = 0.2


class Priority(IntEnum):
    """Whether somebody sits and waits for the answer."""

    INTERACTIVE = 0
    BATCH = 1


class Ticket(Protocol):
    """A request in the queue, as far as its order is concerned."""

    @property
    def client(self) -> str: ...

    @property
    def priority(self) -> Priority: ...

    @property
    def gone(self) -> bool:
        """Whether its owner has left: while waiting, or because it was done."""
        ...


T = TypeVar("T", bound=Ticket)


class Ring(Generic[T]):
    """Clients in a ring, each with its tickets in order of arrival; a newcomer joins at the end."""

    def __init__(self) -> None:
        self._lines: dict[str, deque[T]] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def copy(self) -> Ring[T]:
        """The same tickets, which can be taken without being missed here."""
        twin = Ring[T]()
        twin._lines = {client: line.copy() for client, line in self._lines.items()}
        return twin

    def tickets(self) -> list[T]:
        return [ticket for line in self._lines.values() for ticket in line]

    def add(self, ticket: T) -> None:
        self._lines.setdefault(ticket.client, deque()).append(ticket)

    def take(self) -> T:
        """The oldest ticket of the client whose turn it is; the client goes to the end."""
        client = next(iter(self._lines))
        line = self._lines.pop(client)
        ticket = line.popleft()
        if line:
            self._lines[client] = line
        return ticket

    def forget_gone(self) -> None:
        left = ((client, _present(line)) for client, line in self._lines.items())
        self._lines = {client: line for client, line in left if line}


class Turns(Generic[T]):
    """The tickets that wait and those that run, at most ``running_max`` of the latter.

    Interactive goes before batch, clients go round robin, and no ticket waits for ever. One client
    may hold ``client_max`` tickets at most, if that is given.
    """

    def __init__(self, running_max: int, *, client_max: int | None = None) -> None:
        self._running_max = running_max
        self._client_max = client_max
        self._waiting: dict[Priority, Ring[T]] = {priority: Ring() for priority in Priority}
        self._running: deque[T] = deque()
        self._overtaken = 0

    def tickets(self) -> list[T]:
        """Every ticket here, in no order to rely on."""
        return [*self._running, *self.waiting()]

    def waiting(self) -> list[T]:
        """The tickets that wait, in no order to rely on."""
        return [ticket for ring in self._waiting.values() for ticket in ring.tickets()]

    def add(self, ticket: T, *, counted: bool = True) -> bool:
        """Whether the ticket may wait: not when its client holds its share already.

        One that is not ``counted`` here is bounded elsewhere.
        """
        if counted and self._client_max is not None:
            held = [t for t in self.tickets() if t.client == ticket.client and not t.gone]
            if len(held) >= self._client_max:
                return False
        self._waiting[ticket.priority].add(ticket)
        return True

    def admit(self) -> list[T]:
        """Forget the tickets that are gone; those whose turn has come, in order."""
        self._running = _present(self._running)
        for ring in self._waiting.values():
            ring.forget_gone()
        admitted: list[T] = []
        while len(self._running) < self._running_max and any(self._waiting.values()):
            admitted.append(self._next_ring().take())
            self._running.append(admitted[-1])
        return admitted

    def line(self) -> list[T]:
        """Those who wait, in the order in which they are let in if nobody else comes."""
        ahead = Turns[T](sys.maxsize)
        ahead._waiting = {priority: ring.copy() for priority, ring in self._waiting.items()}
        ahead._overtaken = self._overtaken
        return ahead.admit()

    def _next_ring(self) -> Ring[T]:
        interactive, batch = (self._waiting[priority] for priority in Priority)
        if batch and (not interactive or self._overtaken >= OVERTAKEN_MAX):
            self._overtaken = 0
            return batch
        self._overtaken = self._overtaken + 1 if batch else 0
        return interactive


class ServiceTime:
    """How long a request is served, as a moving average: what Retry-After is made of."""

    def __init__(self, first_guess_s: float = 10.0) -> None:  # a few minutes of audio, on a GPU
        self._average_s = first_guess_s
        self._measured = False

    def record(self, served_s: float) -> None:
        weight = NEWEST_WEIGHT if self._measured else 1.0
        self._average_s += weight * (served_s - self._average_s)
        self._measured = True

    def left_s(self, place: int, running_max: int) -> float | None:
        """When who has this place in line will be done; None until somebody was."""
        return self._average_s * (1 + place / running_max) if self._measured else None

    def retry_after_s(self, backlog: int, running_max: int) -> float:
        """When a place may be had, if so many are served first: 1 to 60 s.

        Below 1 s clients only hammer; above 60 s the OpenAI SDK ignores the header.
        """
        return min(60.0, max(1.0, self._average_s * backlog / running_max))


def _present(line: deque[T]) -> deque[T]:
    return deque(ticket for ticket in line if not ticket.gone)
