"""One caller's windows on their way through the engine: what waits, what runs, what is told next.

Pure: no await, no clock, no trio.
"""

from bisect import insort
from collections.abc import Container, Iterator
from dataclasses import replace
from math import inf
from typing import Protocol, TypeAlias, TypeVar

from asr.actors.turns import Priority
from asr.pipeline.engine import Growing, ModelFolder, Row, SoFar
from asr.pipeline.errors import AsrError
from asr.pipeline.fallback import next_temperature
from asr.pipeline.types import Decoding, Detected, Hypothesis, Window
from asr.pipeline.windows import rest_of

# What is told of a window: a hypothesis of it, and one of each rest that was heard again.
Heard: TypeAlias = tuple[Hypothesis, ...]

# How often a text that grows is shown. No eye sees more, and each time costs the batch something.
GROW_EVERY_S = 0.05

A = TypeVar("A", contravariant=True)


class Reply(Protocol[A]):
    """Where answers go: it has room for all of them, and a sign whether anybody listens."""

    @property
    def abandoned(self) -> bool: ...

    @property
    def read(self) -> bool:
        """Whether the caller has taken everything that was sent."""
        ...

    def send(self, answer: A | AsrError) -> None: ...

    def close(self) -> None: ...


class Detection:
    """One caller's window whose language is to be told. Identity is what matters."""

    def __init__(
        self, model: ModelFolder, window: Window, reply: Reply[Detected], *, whose: str = ""
    ) -> None:
        self.model = model
        self.window = window
        self.reply = reply
        self.whose = whose  # the id under which the log knows the caller


class Request:
    """The windows of one caller. The earliest that waits goes first, whatever it waits for.

    A window has one row at a time: the first look, a warmer try, or a look at the rest of it.
    """

    def __init__(
        self,
        model: ModelFolder,
        windows: tuple[Window, ...],
        decoding: Decoding,
        reply: Reply[Heard | Growing],
        *,
        priority: Priority = Priority.INTERACTIVE,
        grows: bool = False,
        whose: str = "",
    ) -> None:
        self.model = model
        self.reply = reply
        self.priority = priority
        self.grows = grows  # whether its caller wants to see text that grows
        self.whose = whose  # the id under which the log knows the caller
        self.served_s = 0.0  # when it was last given a row, or came
        self._windows = windows
        coldest = decoding.temperatures[0]
        self._rows = [(i, Row(window, decoding, coldest)) for i, window in enumerate(windows)]
        self._running: dict[Row, int] = {}  # and the number of its window
        self._heard: dict[int, list[Hypothesis]] = {}  # by window: what may not be told yet
        self._whole: set[int] = set()  # windows that are heard to their end, and not told yet
        self._head = 0  # the first window that has not been told
        self._shown = ""  # what was last told of its text, and when
        self._shown_s = -inf

    @property
    def waiting(self) -> int:
        """Rows that wait for the batch."""
        return len(self._rows)

    @property
    def done(self) -> bool:
        return not self._rows and not self._running

    def running(self) -> tuple[Row, ...]:
        return tuple(self._running)

    def rows(self) -> Iterator[Row]:
        """All rows, running and waiting."""
        yield from self._running
        yield from (row for _, row in self._rows)

    def first_in(self, rows: Container[Row]) -> Row | None:
        """The earliest of certain rows, if one waits."""
        return next((row for _, row in self._rows if row in rows), None)

    def take(self) -> Row:
        """The earliest row, which joins the batch."""
        number, row = self._rows.pop(0)
        self._running[row] = number
        return row

    def take_only(self, row: Row) -> None:
        """A certain row joins the batch."""
        waits = next(waits for waits in self._rows if waits[1] is row)
        self._rows.remove(waits)
        self._running[row] = waits[0]

    def back(self, row: Row) -> None:
        """A row has left the batch without an answer: it waits where it did."""
        insort(self._rows, (self._running.pop(row), row))

    def leave(self, row: Row) -> None:
        """A row has left the batch for good."""
        del self._running[row]

    def finish(self, row: Row, hypothesis: Hypothesis) -> None:
        """Keep what a row said, or let it try again, warmer, if that looks wrong.

        What the model left unheard of the window is a row of its own. Windows are told in order:
        what is known early is held back.
        """
        number = self._running.pop(row)
        warmer = next_temperature(row, hypothesis)
        if warmer is not None:
            insort(self._rows, (number, replace(row, temperature=warmer)))
            return
        self._heard.setdefault(number, []).append(hypothesis)
        if rest := rest_of(hypothesis):
            coldest = row.decoding.temperatures[0]
            insort(self._rows, (number, replace(row, window=rest, temperature=coldest)))
        else:
            self._whole.add(number)
            self._tell()

    def growing(self, *, now_s: float) -> Row | None:
        """The row whose text so far is to be told: that of the first window that is not told yet.

        None if it is not in the batch, was told just now, or the caller has not read the last one.
        """
        if now_s - self._shown_s < GROW_EVERY_S or not self.reply.read:
            return None
        return next((row for row, number in self._running.items() if number == self._head), None)

    def grow(self, so_far: SoFar, *, now_s: float) -> None:
        """Tell what is known of the head window, with what was heard of it before this row."""
        before = self._heard.get(self._head, ())
        text = "".join(piece.text for part in before for piece in part.pieces) + so_far.text
        if text != self._shown:
            self._shown, self._shown_s = text, now_s
            parts = (*before, so_far.closed)
            self.reply.send(Growing(self._windows[self._head], text, parts))

    def _tell(self) -> None:
        while self._head in self._whole:
            self._whole.remove(self._head)
            self.reply.send(tuple(self._heard.pop(self._head)))
            self._head += 1
            self._shown = ""
