"""The same question at the same time is worked on once, and its answer is everybody's.

Who comes first leads, the others follow. Should the one who leads leave, one who follows leads on,
with what has been answered until then. And nobody who would go first waits for one who goes later:
a caller of a lower rank takes the lead, and who had it follows.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import trio

from asr.pipeline.errors import AsrError
from asr.pipeline.records import dump_error, load_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T_contra = TypeVar("T_contra", contravariant=True)


@dataclass(slots=True, eq=False)
class Lead:
    """Somebody who works on questions; the lower its ``rank``, the sooner it has answers."""

    rank: int = 0
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


@dataclass(slots=True, eq=False)
class Flight:
    """A question that is worked on. Over with neither answer nor error, it was given up."""

    lead: Lead
    over: trio.Event = field(default_factory=trio.Event)
    answer: Any = None
    error: AsrError | None = None
    watched: list[Callable[[float], None]] = field(default_factory=list)
    parts: list[Any] = field(default_factory=list)  # of an answer that comes in several
    news: trio.Event = field(default_factory=trio.Event)  # there are more of them, or it is over

    def end(self) -> None:
        """It is over."""
        self.over.set()
        self.news.set()


class Told(Protocol[T_contra]):
    """Where an answer goes, by the place of its question among those that were asked."""

    def __call__(self, place: int, answer: T_contra, /) -> None: ...


class Work(Protocol[T_co]):
    """Answers the questions at these places. What it raises as an AsrError is their answer."""

    async def __call__(self, places: Sequence[int], told: Told[T_co], /) -> None: ...


class Shared:
    """The questions that are worked on, by key."""

    def __init__(self) -> None:
        self._flights: dict[str, Flight] = {}

    def __len__(self) -> int:
        return len(self._flights)

    async def ask(
        self,
        keys: Sequence[str],
        work: Work[T],
        told: Told[T],
        *,
        rank: int = 0,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Have each question answered, in any order: ``told`` gets each answer once.

        ``work`` is given those that nobody works on; ``progress`` hears how far others are, as far
        as they ``tell``. Raises what ``work`` raises, also another's where that is an AsrError.
        """
        await Asking(self, keys, work, told, rank, progress).run()

    def claim(self, key: str, lead: Lead) -> tuple[Flight, bool]:
        """A question, and whether it is this lead's to answer from now on."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = Flight(lead)
            return flight, True
        if lead.rank < flight.lead.rank:
            flight.lead.scope.cancel()
            flight.lead = lead
            return flight, True
        return flight, False

    def settle(self, key: str, answer: object) -> None:
        """A question is answered, by whomever it was."""
        if flight := self._flights.pop(key, None):
            flight.answer = answer
            flight.end()

    def add(self, key: str, part: object) -> None:
        """More of an answer is known."""
        if flight := self._flights.get(key):
            flight.parts.append(part)
            flight.news.set()
            flight.news = trio.Event()

    def tell(self, key: str, share: float) -> None:
        """So much of a question is done, from 0 to 1."""
        if flight := self._flights.get(key):
            for watch in flight.watched:
                watch(share)

    def end(self, keys: Iterable[str], lead: Lead, error: AsrError | None = None) -> None:
        """A lead works no more: what it has not answered has this error, or is given up."""
        for key in keys:
            flight = self._flights.get(key)
            if flight is not None and flight.lead is lead:
                del self._flights[key]
                flight.error = error
                flight.end()


class Asking(Generic[T]):
    """One caller's questions: those it works on, and those that it follows."""

    def __init__(
        self,
        shared: Shared,
        keys: Sequence[str],
        work: Work[T],
        told: Told[T],
        rank: int,
        progress: Callable[[float], None] | None,
    ) -> None:
        self._shared = shared
        self._keys = keys
        self._work = work
        self._told = told
        self._rank = rank
        self._progress = progress
        self._answered: set[int] = set()
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Until all are answered. Raises the first error, and not within a group."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._part(range(len(self._keys)))
        if self._failure is not None:
            raise self._failure

    def _part(self, places: Iterable[int]) -> None:
        """Lead where nobody does, and follow elsewhere."""
        lead = Lead(self._rank)
        mine: list[int] = []
        others: dict[int, Flight] = {}
        for place in places:
            if place in self._answered:
                continue
            flight, leads = self._shared.claim(self._keys[place], lead)
            if leads:
                mine.append(place)
            else:
                others[place] = flight
        if mine:
            self._nursery.start_soon(self._lead, lead, mine)
        if others:
            self._nursery.start_soon(self._follow, others)

    async def _lead(self, lead: Lead, places: Sequence[int]) -> None:
        keys = [self._keys[place] for place in places]
        try:
            with lead.scope:
                await self._work(places, self._settle)
        except AsrError as error:
            self._shared.end(keys, lead, error)
            self._fail(error)
        except Exception as error:
            self._fail(error)
        finally:
            self._shared.end(keys, lead)
        if lead.scope.cancelled_caught:  # somebody else leads now, of some of them at least
            self._part(places)

    async def _follow(self, flights: Mapping[int, Flight]) -> None:
        try:
            if self._progress is not None:
                for flight in flights.values():
                    flight.watched.append(self._progress)
            for place, flight in flights.items():
                await flight.over.wait()
                if flight.error is not None:
                    self._fail(load_error(dump_error(flight.error)))  # each raises one of its own
                elif flight.answer is not None:
                    self._tell(place, flight.answer)
                else:
                    self._take_what_came(flights)
                    self._part(flights)
                    return
        finally:
            for flight in flights.values():
                if self._progress is not None and self._progress in flight.watched:
                    flight.watched.remove(self._progress)

    def _take_what_came(self, flights: Mapping[int, Flight]) -> None:
        for place, flight in flights.items():
            if flight.answer is not None:
                self._tell(place, flight.answer)

    def _settle(self, place: int, answer: T, /) -> None:
        self._shared.settle(self._keys[place], answer)
        self._tell(place, answer)

    def _tell(self, place: int, answer: T) -> None:
        if place not in self._answered:
            self._answered.add(place)
            self._told(place, answer)

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error
        self._nursery.cancel_scope.cancel()
