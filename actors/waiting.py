"""Who waits for the GPU, and which rows join the batch next. Pure: no await, no clock, no trio.

Requests stand in a ring and give one row each in turn, so that a long file never starves a short
one. One model at a time is in the batch: when the request whose turn it is wants another, nobody
joins until the batch has run empty.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Protocol, Self

from asr.pipeline.engine import ModelFolder, Row
from asr.pipeline.errors import AsrError
from asr.pipeline.fallback import needs_another_try
from asr.pipeline.types import Hypothesis


class Reply(Protocol):
    """Where a request's answers go: room for all of them, and a sign whether anybody listens."""

    @property
    def abandoned(self) -> bool: ...

    def send(self, answer: Hypothesis | AsrError) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True, eq=False)
class Request:
    """The windows of one caller that are still to be decoded, and those in the batch."""

    model: ModelFolder
    rows: deque[Row]
    reply: Reply
    running: set[Row] = field(default_factory=set)

    @property
    def done(self) -> bool:
        return not self.rows and not self.running


class Waiting:
    """All requests that the GPU has not answered in full. Leaving closes every reply."""

    def __init__(self, rows_max: int) -> None:
        self._rows_max = rows_max
        self._ring: deque[Request] = deque()
        self._running: dict[Row, Request] = {}
        self._leaving: set[Row] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None
    ) -> None:
        for request in self._requests():
            request.reply.close()

    def __bool__(self) -> bool:
        return bool(self._ring or self._running or self._leaving)

    @property
    def windows(self) -> int:
        """Rows that have not joined the batch yet."""
        return sum(len(request.rows) for request in self._ring)

    @property
    def running(self) -> int:
        """Rows in the batch."""
        return len(self._running)

    @property
    def model(self) -> ModelFolder | None:
        """The model of the batch; None if it is empty."""
        return next((request.model for request in self._running.values()), None)

    def add(self, model: ModelFolder, rows: Iterable[Row], reply: Reply) -> None:
        self._ring.append(Request(model, deque(rows), reply))

    def forget_abandoned(self) -> tuple[Row, ...]:
        """Strike requests that nobody waits for; the rows that have to leave the batch now."""
        for request in self._requests():
            if request.reply.abandoned:
                self._strike(request)
        rows, self._leaving = tuple(self._leaving), set()
        return rows

    def next_rows(self) -> tuple[ModelFolder, tuple[Row, ...]] | None:
        """The model and the rows that join now; None if nobody may."""
        if not self._ring or self.model not in (None, self._ring[0].model):
            return None
        model, rows = self._ring[0].model, list[Row]()
        while len(self._running) < self._rows_max and (request := self._next_on(model)):
            row = request.rows.popleft()
            request.running.add(row)
            self._running[row] = request
            rows.append(row)
            self._to_the_end(request)
        return (model, tuple(rows)) if rows else None

    def refuse(self, row: Row, error: AsrError) -> None:
        """Tell the caller of a row that could not join why, and forget the request's others."""
        if request := self._left(row):
            request.reply.send(error)
            self._strike(request)

    def finish(self, row: Row, hypothesis: Hypothesis) -> None:
        """Deliver what a row said, or let it try again, warmer, if that looks wrong."""
        request = self._left(row)
        if request is None:
            return
        warmer = [t for t in row.decoding.temperatures if t > row.temperature]
        if warmer and needs_another_try(hypothesis):
            request.rows.appendleft(replace(row, temperature=warmer[0]))
            if request not in self._ring:
                self._ring.append(request)
            return
        request.reply.send(hypothesis)
        if request.done:
            request.reply.close()

    def _left(self, row: Row) -> Request | None:
        """The request of a row that is not in the batch any more; None if it has been struck."""
        self._leaving.discard(row)
        request = self._running.pop(row, None)
        if request is not None:
            request.running.remove(row)
        return request

    def _next_on(self, model: ModelFolder) -> Request | None:
        return next((request for request in self._ring if request.model == model), None)

    def _to_the_end(self, request: Request) -> None:
        self._ring.remove(request)
        if request.rows:
            self._ring.append(request)

    def _requests(self) -> list[Request]:
        return list(dict.fromkeys([*self._ring, *self._running.values()]))

    def _strike(self, request: Request) -> None:
        request.reply.close()
        for row in request.running:
            del self._running[row]
        self._leaving |= request.running
        if request in self._ring:
            self._ring.remove(request)
