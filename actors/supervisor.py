"""Keeps one task alive, and knows when to stop trying: then the process ends, and what started it
is the next supervisor. No other file catches an error that it does not expect; one that only looks
at it, to say whose fault it was, passes it on.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import trio

from asr.actors.thread import Hung

log = logging.getLogger(__name__)


class Startable(Protocol):
    """A task as ``nursery.start`` wants it, all arguments but the last already given."""

    async def __call__(self, *, task_status: trio.TaskStatus[None]) -> None: ...


@dataclass(frozen=True, slots=True)
class Restarts:
    """How many crashes are an accident: ``most`` in any ``within_s``; one more is hopeless.

    ``most`` None bears any number.
    """

    most: int | None = 3
    within_s: float = 300.0  # a model takes up to a minute to load, and crashes again after that
    pause_s: float = 1.0  # lets the system take back what the crash left behind


class Hopeless(Exception):
    """A task that came up has crashed too often in too short a time, or hangs."""


class Explained(Exception):
    """A crash whose cause is known and out of the way, so that it is no reason to give up.

    ``crashes`` in all, this one and those before it, had that cause and do not count.
    """

    def __init__(self, crashes: int = 1) -> None:
        super().__init__("the cause is known, and gone: this does not count")
        self.crashes = crashes


@dataclass(slots=True)
class FirstStart:
    """Passes on the first started(); after a restart nobody waits for it any more."""

    waiting: trio.TaskStatus[None]
    on_up: Callable[[], None]
    seen: bool = False

    def started(self, value: None = None) -> None:
        self.on_up()
        if not self.seen:
            self.seen = True
            self.waiting.started(value)


class Observer(Protocol):
    """Wants to know of a task's life."""

    def up(self, name: str, up: bool, /) -> None:
        """It is at work from here on, or not."""
        ...

    def restarted(self, name: str, /) -> None:
        """It crashed, and is run again."""
        ...


class Nobody:
    """Does not want to know."""

    def up(self, name: str, up: bool, /) -> None: ...

    def restarted(self, name: str, /) -> None: ...


NOBODY = Nobody()


async def supervise(
    name: str,
    start: Startable,
    *,
    restarts: Restarts = Restarts(),
    observer: Observer = NOBODY,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a task, and again each time it crashes; raise Hopeless when crashes come too fast.

    What makes the first start fail is raised as it is: a human's mistake, not an accident. Where a
    thread hangs nothing is tried again: it holds what the task owned.
    """
    first = FirstStart(task_status, partial(observer.up, name, True))
    crashes: list[float] = []
    while True:
        try:
            await start(task_status=first)
            return
        except Exception as error:  # a cancellation is a BaseException and passes
            if not first.seen:
                raise
            observer.up(name, False)
            if isinstance(error, Hung):
                raise Hopeless(name) from error
            now_s = trio.current_time()
            crashes = [at_s for at_s in crashes if now_s - at_s <= restarts.within_s] + [now_s]
            if isinstance(error, Explained):
                del crashes[-error.crashes :]
            if restarts.most is None:
                log.exception("%s crashed; it is started again each time", name)
            elif len(crashes) > restarts.most:
                raise Hopeless(name) from error
            else:
                count = len(crashes)
                log.exception("%s crashed; %d of %d crashes count", name, count, restarts.most)
        observer.restarted(name)
        await trio.sleep(restarts.pause_s)
