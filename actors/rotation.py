"""Which request gives the next row. Pure: no await, no clock, no trio."""

from collections import deque
from collections.abc import Iterator

from asr.actors.request import Request
from asr.actors.turns import Priority
from asr.pipeline.engine import ModelFolder

# A request that was given no row for so long goes first, so that nothing waits for ever behind what
# keeps coming. As long as some ten rows take on a slow CPU: less, and priority would mean nothing.
AGE_MAX_S = 20.0


class Rotation:
    """Requests with rows that wait: a ring for each priority, in which they take turns."""

    def __init__(self) -> None:
        self._rings: dict[Priority, deque[Request]] = {priority: deque() for priority in Priority}

    def __iter__(self) -> Iterator[Request]:
        """Interactive ones first; within a priority, in the order of their turns."""
        for ring in self._rings.values():
            yield from ring

    def __bool__(self) -> bool:
        return any(self._rings.values())

    def to_the_end(self, request: Request) -> None:
        """Its turn is over, or it is new; without a row that waits, it has no place here."""
        self.remove(request)
        if request.waiting:
            self._rings[request.priority].append(request)

    def to_the_front(self, request: Request) -> None:
        self.remove(request)
        self._rings[request.priority].appendleft(request)

    def remove(self, request: Request) -> None:
        ring = self._rings[request.priority]
        if request in ring:
            ring.remove(request)

    def next(self, now_s: float, model: ModelFolder | None = None) -> Request | None:
        """Whose turn it is, among those who want the model, if one is given."""
        asked = [request for request in self if model in (None, request.model)]
        starved = [request for request in asked if now_s - request.served_s >= AGE_MAX_S]
        if starved:
            return min(starved, key=lambda request: request.served_s)
        return next(iter(asked), None)
