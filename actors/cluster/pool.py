"""The windows of a file that several decode: which nobody has begun, and which are away."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING

import trio

from asr.actors.stages.decoding import InOrder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr.actors.request import Heard
    from asr.actors.turns import Priority
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.errors import AsrError
    from asr.pipeline.types import Decoding, Window

SHARE_MIN = 2  # windows that are decoded together cost less than one by one
SHARE_MAX = 16  # windows: 8 minutes, 15 MB
LOOK_AGAIN_S = 1.0

# Away for longer than this, and than twice what a share took here, windows are decoded here as
# well: who has them may be slow, or frozen.
LATE_S = 10.0


class Question:
    """Windows that somebody wants to have decoded, and their answers so far."""

    def __init__(
        self,
        model: ModelFolder,
        windows: tuple[Window, ...],
        decoding: Decoding,
        priority: Priority,
        heard: Callable[[Heard], None],
        growing: Callable[[Growing], None] | None,
    ) -> None:
        self.model = model
        self.windows = windows
        self.decoding = decoding
        self.priority = priority
        self.growing = growing
        self.answers = InOrder(heard)
        self.dropped = False
        self._failed: AsrError | None = None
        self._over = trio.Event()
        self._work: set[trio.CancelScope] = set()

    def put(self, place: int, answer: Heard) -> None:
        """A window is answered."""
        self.answers.put(place, answer)
        if self.answers.head == len(self.windows):
            self._over.set()

    def fail(self, error: AsrError) -> None:
        """There will be no answer."""
        self._failed = self._failed or error
        self._over.set()

    @contextmanager
    def work(self) -> Iterator[trio.CancelScope]:
        """What the block does is done for this question: it ends when nobody asks it any more."""
        with trio.CancelScope() as scope:
            self._work.add(scope)
            try:
                yield scope
            finally:
                self._work.remove(scope)

    def drop(self) -> None:
        """Nobody wants to know any more."""
        self.dropped = True
        for scope in self._work:
            scope.cancel()

    async def over(self) -> None:
        """Return when all windows are answered. Raises what it has failed with."""
        await self._over.wait()
        if self._failed is not None:
            raise self._failed


@dataclass(frozen=True, eq=False, slots=True)
class Part:
    """Some windows of a question, by their places, for whoever decodes them together."""

    question: Question
    places: tuple[int, ...]

    @property
    def windows(self) -> tuple[Window, ...]:
        return tuple(self.question.windows[place] for place in self.places)


@dataclass(eq=False, slots=True)
class Away:
    """A part that is somewhere else: its job, since when, who waits for it, and who does it too."""

    part: Part
    waiting: trio.CancelScope
    job_id: str = field(default_factory=lambda: token_hex(16))
    since_s: float = field(default_factory=trio.current_time)
    twin: trio.CancelScope | None = None

    @property
    def age_s(self) -> float:
        return trio.current_time() - self.since_s

    def end(self) -> None:
        """It is answered, or done otherwise: nobody need be at it any more."""
        self.waiting.cancel()
        if self.twin:
            self.twin.cancel()


class Pool:
    """What is left of some questions, and what is away. ``lanes`` take of it at the same time."""

    def __init__(self, *, lanes: int) -> None:
        self.away: set[Away] = set()
        self._lanes = lanes
        self._late_s = LATE_S
        self._left: deque[Part] = deque()
        self._changed = trio.Event()

    def add(self, question: Question) -> None:
        """Have a question answered."""
        self._left.append(Part(question, tuple(range(len(question.windows)))))
        self._change()

    def drop(self, question: Question) -> None:
        """Nobody wants to know any more what has not been begun."""
        self._left = deque(part for part in self._left if part.question is not question)
        question.drop()

    def take(self) -> Part | None:
        """The next windows to be decoded together, fewer and fewer of them; None if none is left.

        As in guided self-scheduling (Polychronopoulos and Kuck, 1987): so all are done at about
        the same time, however fast each is.
        """
        if not self._left:
            return None
        count = sum(len(part.places) for part in self._left)
        size = max(SHARE_MIN, min(SHARE_MAX, count // self._lanes))
        first = self._left.popleft()
        if rest := first.places[size:]:
            self._left.appendleft(Part(first.question, rest))
        return Part(first.question, first.places[:size])

    def took(self, seconds: float) -> None:
        """A part was done here in so long: others may be half as fast."""
        self._late_s = max(self._late_s, 2 * seconds)

    def late(self) -> Away | None:
        """What has been away for long, and nobody does here yet."""
        late = (
            away
            for away in self.away
            if away.age_s >= self._late_s and away.twin is None and not away.part.question.dropped
        )
        return min(late, key=lambda away: away.since_s, default=None)

    def came(self, away: Away) -> None:
        """What was away is answered."""
        self.away.discard(away)
        away.end()

    def give_back(self, away: Away) -> None:
        """What was away is to be done by somebody else, unless it is back already."""
        if away not in self.away:
            return
        self.away.remove(away)
        away.waiting.cancel()
        if away.twin is None and not away.part.question.dropped:
            self._left.appendleft(away.part)
            self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def change(self) -> None:
        """Return when there may be more to take, or after a while."""
        with trio.move_on_after(LOOK_AGAIN_S):
            await self._changed.wait()
