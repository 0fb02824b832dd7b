"""Who waits for the GPU, who is in it, and who goes next. Pure: no await, no clock, no trio.

It outlives the actor: when the engine crashes, whoever was in it goes back to where it waited. One
model at a time is in the batch: when the request whose turn it is wants another, nobody joins until
the batch has run empty.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from asr.actors.capacity import Capacity
from asr.actors.request import Detection, Request
from asr.actors.rotation import Rotation
from asr.actors.suspects import Suspects, Verdict
from asr.pipeline.engine import ModelFolder, Row, SoFar
from asr.pipeline.errors import AsrError, NotEnoughMemory, Poisoned
from asr.pipeline.types import Detected, Hypothesis

Suspect: TypeAlias = Row | Detection


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in the batch: whose it is, and when its request had been served before."""

    request: Request
    served_s: float


class Waiting:
    """All requests that the GPU has not answered in full."""

    def __init__(self) -> None:
        self._capacity = Capacity(1)  # until an engine says how many rows it holds
        self._requests: dict[Request, None] = {}  # all of them, in order of arrival
        self._order = Rotation()
        self._running: dict[Row, Place] = {}  # in the order in which they joined
        self._leaving: set[Row] = set()
        self._detections: list[Detection] = []
        self._asked: tuple[Detection, ...] = ()  # those that the engine is at
        self._suspects: Suspects[Suspect] = Suspects()

    def __bool__(self) -> bool:
        return bool(self._requests or self._leaving or self._detections)

    @property
    def windows(self) -> int:
        """Rows that have not joined the batch yet."""
        return sum(request.waiting for request in self._order)

    @property
    def running(self) -> int:
        """Rows in the batch."""
        return len(self._running)

    @property
    def model(self) -> ModelFolder | None:
        """The model of the batch; None if it is empty."""
        return next((place.request.model for place in self._running.values()), None)

    def wants(self, model: str) -> bool:
        """Whether the batch is on this model, or somebody waits for what it says."""
        asked: tuple[Request | Detection, ...] = (*self._requests, *self._detections)
        waits = (each.model for each in asked if not each.reply.abandoned)
        return any(each.name == model for each in (self.model, *waits) if each)

    def whose(self) -> frozenset[str]:
        """Whom the engine works for, by the ids of their requests."""
        rows = (place.request.whose for place in self._running.values())
        return frozenset((*rows, *(detection.whose for detection in self._asked)))

    def begin(self, rows_max: int) -> None:
        """There is a new engine, with nobody in it."""
        self._capacity = Capacity(rows_max)
        self._all_back()

    def close(self) -> None:
        """There will be no engine any more: everybody hears so."""
        for request in tuple(self._requests):
            self._strike(request)
        for detection in self._detections:
            detection.reply.close()
        self._detections.clear()

    def add(self, request: Request, *, now_s: float) -> None:
        self._restore_when_empty()
        request.served_s = now_s
        self._requests[request] = None
        self._order.to_the_end(request)

    def ask(self, detection: Detection) -> None:
        self._restore_when_empty()
        self._detections.append(detection)

    def forget_abandoned(self) -> tuple[Row, ...]:
        """Strike requests that nobody waits for; the rows that have to leave the batch now."""
        for request in [each for each in self._requests if each.reply.abandoned]:
            self._strike(request)
        rows, self._leaving = tuple(self._leaving), set()
        if rows:
            self._capacity.left()
        return rows

    # Languages: they go ahead of rows that wait, for their requests cannot begin without.

    def next_detections(self) -> tuple[Detection, ...]:
        """Those of one model, in order of arrival, whose language is detected now."""
        for detection in [each for each in self._detections if each.reply.abandoned]:
            self._done(detection)
        if not self._detections:
            return ()
        able = self._detections
        count = self._capacity.detecting(running=len(self._running))
        if self._suspects:  # one at a time, and alone
            able = [each for each in able if each in self._suspects and not self._running]
            count = 1
        self._asked = tuple([each for each in able if each.model == able[0].model][:count])
        return self._asked

    def detected(self, detection: Detection, answer: Detected | AsrError) -> None:
        """Tell the language, or why it cannot be told."""
        detection.reply.send(answer)
        self._done(detection)

    # Rows.

    def next_rows(self, *, now_s: float) -> tuple[Row, ...]:
        """The rows that join the batch now, in turn; its model is ``model`` from here on.

        Suspects of a crash go one at a time, before all others, with the batch to themselves.
        """
        if self._suspects:
            return () if self._running else self._next_suspect(now_s)
        running = len(self._running)
        self._capacity.step()
        turn = self._order.next(now_s) if self._capacity.free(running=running) else None
        if turn is None or self.model not in (None, turn.model):
            return ()
        wanted = sum(each.waiting for each in self._order if each.model == turn.model)
        rows: list[Row] = []
        for _ in range(self._capacity.joining(wanted, running=running)):
            request = self._order.next(now_s, turn.model)
            assert request is not None, "fewer rows wait than were counted"
            rows.append(request.take())
            self._join(rows[-1], request, now_s)
        return tuple(rows)

    def left_out(self, rows: Sequence[Row]) -> None:
        """Memory had no room for the last of those that were to join: they wait as before."""
        if rows:
            self._back(rows)
            self._capacity.fill()

    def refuse(self, row: Row, error: AsrError) -> None:
        """Tell the caller of a row that could not join why, and forget the request's others."""
        if request := self._left(row):
            request.leave(row)
            request.reply.send(error)
            self._strike(request)

    def finish(self, row: Row, hypothesis: Hypothesis) -> None:
        """A row has reached its end: what it said is told when all before it has been."""
        self._suspects.survived()
        self._capacity.left()
        if request := self._left(row):
            request.finish(row, hypothesis)
            if request.done:
                request.reply.close()
                del self._requests[request]
            elif request.waiting and request not in self._order:
                self._order.to_the_end(request)

    def growing(self, *, now_s: float) -> tuple[Row, ...]:
        """Rows in the batch whose text so far somebody wants to see now."""
        growing = [each for each in self._requests if each.grows]
        return tuple(row for each in growing if (row := each.growing(now_s=now_s)))

    def grow(self, row: Row, so_far: SoFar, *, now_s: float) -> None:
        """Tell what a row in the batch has said so far, if that is still wanted."""
        if place := self._running.get(row):
            place.request.grow(so_far, now_s=now_s)

    # What went wrong.

    def out_of_memory(self) -> None:
        """The engine has forgotten its batch for want of memory: fewer try again.

        What did not fit even alone, will not: its caller hears so.
        """
        at_work = self._at_work()
        self._all_back()
        if len(at_work) == 1:
            self._fail(at_work[0], NotEnoughMemory())
        else:
            self._capacity.halve(len(at_work))

    def crashed(self) -> Verdict[Suspect]:
        """The engine is gone, with all that was in it. The culprit, if it is known, hears so."""
        verdict = self._suspects.crashed(self._at_work())
        self._all_back()
        if verdict.culprit:
            self._fail(verdict.culprit, Poisoned())
        return verdict

    def _restore_when_empty(self) -> None:
        if not self:
            self._capacity.restore()

    def _at_work(self) -> tuple[Suspect, ...]:
        return (*self._running, *self._asked)

    def _all_back(self) -> None:
        """Nobody is in the engine; who was, waits where it did."""
        self._back(tuple(self._running))
        self._capacity.left()
        self._leaving.clear()
        self._asked = ()

    def _fail(self, one: Suspect, error: AsrError) -> None:
        """Tell the caller of something that waits, and forget all that it asked for."""
        if isinstance(one, Detection):
            self.detected(one, error)
            return
        request = next(each for each in self._requests if one in each.rows())
        request.reply.send(error)
        self._strike(request)

    def _join(self, row: Row, request: Request, now_s: float) -> None:
        self._running[row] = Place(request, request.served_s)
        request.served_s = now_s
        self._order.to_the_end(request)

    def _next_suspect(self, now_s: float) -> tuple[Row, ...]:
        for request in self._order:
            if row := request.first_in(self._suspects):
                request.take_only(row)
                self._join(row, request, now_s)
                return (row,)
        return ()

    def _back(self, rows: Sequence[Row]) -> None:
        """As if these, the last that joined, had not: their requests come first, in that order."""
        for row in reversed(rows):
            place = self._running.pop(row)
            place.request.back(row)
            place.request.served_s = place.served_s
            self._order.to_the_front(place.request)

    def _left(self, row: Row) -> Request | None:
        """The request of a row that is not in the batch any more; None if it has been struck."""
        self._suspects.forget([row])
        self._leaving.discard(row)
        place = self._running.pop(row, None)
        return place.request if place else None

    def _done(self, detection: Detection) -> None:
        detection.reply.close()
        self._detections.remove(detection)
        self._asked = tuple(each for each in self._asked if each is not detection)
        self._suspects.forget([detection])

    def _strike(self, request: Request) -> None:
        request.reply.close()
        del self._requests[request]
        self._suspects.forget(request.rows())
        self._order.remove(request)
        for row in request.running():
            del self._running[row]
            self._leaving.add(row)
