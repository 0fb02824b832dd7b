"""The windows of a file that several decode: which nobody has begun, and which are away."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from secrets import token_hex
from typing import TYPE_CHECKING

import trio

from asr.actors.stages.decoding import InOrder

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.request import Heard
    from asr.actors.turns import Priority
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.errors import AsrError
    from asr.pipeline.types import Decoding, Window

SHARE_MIN = 2  # windows that are decoded together cost less than one by one
SHARE_MAX = 16  # windows: 8 minutes, 15 MB
LOOK_AGAIN_S = 1.0


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
        self._failed: AsrError | None = None
        self._over = trio.Event()

    def put(self, place: int, answer: Heard) -> None:
        """A window is answered."""
        self.answers.put(place, answer)
        if self.answers.head == len(self.windows):
            self._over.set()

    def fail(self, error: AsrError) -> None:
        """There will be no answer."""
        self._failed = self._failed or error
        self._over.set()

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
    """A part that is somewhere else: its job, since when, and who waits for it."""

    part: Part
    job_id: str = field(default_factory=lambda: token_hex(16))
    since_s: float = field(default_factory=trio.current_time)
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


class Pool:
    """What is left of some questions, and what is away. ``lanes`` take of it at the same time."""

    def __init__(self, *, lanes: int) -> None:
        self.away: set[Away] = set()
        self._lanes = lanes
        self._left: deque[Part] = deque()
        self._changed = trio.Event()

    def add(self, question: Question) -> None:
        """Have a question answered."""
        self._left.append(Part(question, tuple(range(len(question.windows)))))
        self._change()

    def drop(self, question: Question) -> None:
        """Nobody wants to know any more what has not been begun."""
        self._left = deque(part for part in self._left if part.question is not question)

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

    def give_back(self, away: Away) -> None:
        """What was away is to be done by somebody else, unless it is back already."""
        if away in self.away:
            self.away.remove(away)
            self._left.appendleft(away.part)
            away.scope.cancel()
            self._change()

    def _change(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    async def change(self) -> None:
        """Return when there may be more to take, or after a while."""
        with trio.move_on_after(LOOK_AGAIN_S):
            await self._changed.wait()
