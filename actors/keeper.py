"""Keeps an actor at work, and tells everybody when that is hopeless."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from asr.actors.supervisor import Hopeless, Restarts, Startable, supervise
from asr.actors.thread import Hung

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Health:
    """Which actors are down for good: one that is vital breaks the house, others degrade it."""

    fault: str | None = None
    hung: bool = False  # whether a thread hangs of what broke the house
    degraded: tuple[str, ...] = ()
    broken: trio.Event = field(default_factory=trio.Event)

    def fail(self, fault: str, *, hung: bool) -> None:
        """The house cannot go on; the first fault is the one to tell."""
        self.fault = self.fault or fault
        self.hung = self.hung or hung
        self.broken.set()

    def degrade(self, name: str) -> None:
        """The house goes on without this one."""
        self.degraded = (*self.degraded, name)


class Closable(Protocol):
    def close(self) -> None: ...


class Answerable(Protocol):
    """A message that somebody waits to have answered."""

    @property
    def reply(self) -> Closable: ...


async def keep(
    name: str,
    run: Startable,
    *,
    refuse: Callable[[], None],
    nursery: trio.Nursery,
    health: Health,
    metrics: Metrics,
    vital: bool = True,
) -> None:
    """Start an actor under supervision; ``refuse`` tells those who wait that it will not come.

    One that is not vital is started again however often it crashes, and if it hangs the house goes
    on without it.
    """
    restarts = Restarts() if vital else Restarts(most=None)
    run = partial(supervise, name, run, restarts=restarts, observer=metrics)
    await nursery.start(partial(_keep, name, run, refuse, health=health, vital=vital))


async def _keep(
    name: str,
    run: Startable,
    refuse: Callable[[], None],
    *,
    health: Health,
    vital: bool,
    task_status: trio.TaskStatus[None],
) -> None:
    """Run what is supervised, and say so when that is hopeless; nobody waits on then."""
    try:
        await run(task_status=task_status)
    except Hopeless as hopeless:
        hung = isinstance(hopeless.__cause__, Hung)
        fault = f"the {name} actor {'hangs' if hung else 'is down for good'}"
        log.exception(fault)
        if vital:
            health.fail(fault, hung=hung)
        else:
            health.degrade(name)
    finally:
        refuse()


def refuse_mail(inbox: trio.MemoryReceiveChannel[Answerable]) -> None:
    """Tell everybody whose message is unread, and take no more."""
    with inbox, suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            inbox.receive_nowait().reply.close()
