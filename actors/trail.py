"""What one request goes through: its stages, how long each took, and what is known of it.

The edge begins a trail and tells it at its end: as a line of the log, as numbers, as spans. On the
way only the request's own tasks know it, by a context variable, which trio hands on to the tasks
and threads that they start. Where there is none, as on the command line, nothing is noted.

An actor works for several requests at a time: it says for whom, so that the log knows it.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from time import time_ns
from typing import TypeAlias

import trio

Fact: TypeAlias = str | int | float


@dataclass(slots=True)
class Stage:
    """When a request first came to a stage and last left it, and what it spent there, in seconds.

    Several of its tasks may be in it at the same time, which counts once. ``whole`` unless it was
    left before its end: by a client that went, or by an error.
    """

    began_s: float
    ended_s: float
    busy_s: float = 0.0
    whole: bool = True
    _inside: int = field(default=0, compare=False, repr=False)  # tasks that are in it now
    _counted_s: float = field(default=0.0, compare=False, repr=False)  # busy_s is right until then

    def enter(self, now_s: float) -> None:
        """One of the request's tasks comes."""
        self._count(now_s, +1)

    def leave(self, now_s: float) -> None:
        """One of them goes."""
        self._count(now_s, -1)
        self.ended_s = now_s

    def _count(self, now_s: float, change: int) -> None:
        if self._inside:
            self.busy_s += now_s - self._counted_s
        self._inside += change
        self._counted_s = now_s


@dataclass(slots=True)
class Trail:
    """One request; times are those of trio's clock, ``began_ns`` is the world's at ``began_s``."""

    id: str
    parent: str = ""  # the W3C traceparent that it came with
    began_s: float = field(default_factory=trio.current_time)
    began_ns: int = field(default_factory=time_ns)
    ended_s: float = inf
    stages: dict[str, Stage] = field(default_factory=dict)
    facts: dict[str, Fact] = field(default_factory=dict)
    left_in: str | None = None  # the stage in which it was cancelled


_TRAIL: ContextVar[Trail | None] = ContextVar("trail", default=None)
_WORKING_FOR: ContextVar[Callable[[], Collection[str]]] = ContextVar("working_for", default=tuple)


@contextmanager
def begin(trail: Trail) -> Iterator[None]:
    """Let this task, and whatever it starts from here on, find the trail."""
    token = _TRAIL.set(trail)
    try:
        yield
    finally:
        _TRAIL.reset(token)


@contextmanager
def stage(name: str, *, beside: bool = False) -> Iterator[None]:
    """What the block does is a stage of the request, or more of one that it has been in.

    ``beside``: it goes on beside the request's other stages, and who leaves does not leave in it.
    """
    trail = _TRAIL.get()
    if trail is None:
        yield
        return
    now_s = trio.current_time()
    seen = trail.stages.setdefault(name, Stage(now_s, now_s))
    seen.enter(now_s)
    try:
        yield
    except BaseException as error:
        seen.whole = False
        if isinstance(error, trio.Cancelled) and not beside and trail.left_in is None:
            trail.left_in = name
        raise
    finally:
        seen.leave(trio.current_time())


def note(**facts: Fact) -> None:
    """Something is known of the request; what is said again replaces what was said before."""
    if trail := _TRAIL.get():
        trail.facts |= facts


def nobody_left() -> None:
    """What was cancelled in the request, it has cancelled itself."""
    if trail := _TRAIL.get():
        trail.left_in = None


def went(name: str, *, busy_s: float) -> None:
    """The request was in a stage on another machine, for so long, and has just left it."""
    if trail := _TRAIL.get():
        now_s = trio.current_time()
        seen = trail.stages.setdefault(name, Stage(now_s - busy_s, now_s))
        seen.ended_s = now_s
        seen.busy_s += busy_s


def request_id() -> str:
    """The id of the request that this task works for; empty if there is none."""
    trail = _TRAIL.get()
    return trail.id if trail else ""


def working_for(requests: Callable[[], Collection[str]]) -> None:
    """From here on this actor works for these requests, by their ids, whenever somebody asks."""
    _WORKING_FOR.set(requests)


def requests() -> tuple[str, ...]:
    """The ids of the requests that this task or thread works for."""
    own = request_id()
    return (own,) if own else tuple(sorted(filter(None, _WORKING_FOR.get()())))


def untold(_trail: Trail) -> None:
    """Nobody wants to hear of requests that are over."""
