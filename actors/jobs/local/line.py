"""The line of waiting jobs: in which order they go, by the rules of ``turns.py``, without a clock.

What is special about jobs: not every worker can do every one, and one that is handed back goes to
where it stood.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from asr.actors.turns import OVERTAKEN_MAX, Priority, Ring, Ticket

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T", bound=Ticket)


class Places(Ring[T]):
    """A ring that can also be left, and entered again, at any place."""

    def copy(self) -> Places[T]:
        twin = Places[T]()
        twin._lines = super().copy()._lines
        return twin

    def first(self, suits: Callable[[T], bool]) -> T | None:
        """Take the next one that suits: then the turn is the next client's."""
        for client, line in self._lines.items():
            ticket = next(filter(suits, line), None)
            if ticket is not None:
                self.leave(ticket)
                if client in self._lines:
                    self._lines[client] = self._lines.pop(client)
                return ticket
        return None

    def leave(self, ticket: T) -> None:
        line = self._lines[ticket.client]
        line.remove(ticket)
        if not line:
            del self._lines[ticket.client]

    def put_back(self, ticket: T) -> None:
        """The client's next is this one, and the next turn is the client's."""
        line = self._lines.pop(ticket.client, deque())
        line.appendleft(ticket)
        self._lines = {ticket.client: line, **self._lines}


class Line(Generic[T]):
    """Those who wait. Interactive goes before batch, clients go round robin, nobody starves."""

    def __init__(self) -> None:
        self._waiting: dict[Priority, Places[T]] = {priority: Places() for priority in Priority}
        self._overtaken = 0
        self._order: tuple[T, ...] | None = ()

    def add(self, ticket: T) -> None:
        self._order = None
        self._waiting[ticket.priority].add(ticket)

    def put_back(self, ticket: T) -> None:
        self._order = None
        self._waiting[ticket.priority].put_back(ticket)

    def leave(self, ticket: T) -> None:
        self._order = None
        self._waiting[ticket.priority].leave(ticket)

    def take(self, suits: Callable[[T], bool]) -> T | None:
        """The next one that suits, if there is any."""
        interactive, batch = (self._waiting[priority] for priority in Priority)
        if batch and self._overtaken >= OVERTAKEN_MAX:
            ticket = batch.first(suits) or interactive.first(suits)
        else:
            ticket = interactive.first(suits) or batch.first(suits)
        if ticket is not None:
            self._order = None
            passed = batch and ticket.priority == Priority.INTERACTIVE
            self._overtaken = self._overtaken + 1 if passed else 0
        return ticket

    def order(self) -> tuple[T, ...]:
        """All of them as they would be taken by who can do any, and trusts all, if nobody came."""
        if self._order is None:
            ahead = Line[T]()
            ahead._waiting = {priority: ring.copy() for priority, ring in self._waiting.items()}
            ahead._overtaken = self._overtaken
            self._order = tuple(iter(lambda: ahead.take(_any), None))
        return self._order


def _any(_: object) -> bool:
    return True
