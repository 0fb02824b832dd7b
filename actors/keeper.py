"""Keeps an actor at work, and tells everybody when that is hopeless."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

from asr.actors.supervisor import Hopeless, Restarts, Startable, supervise

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.metrics import Metrics

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Health:
    """Whether an actor is down for good."""

    fault: str | None = None
    broken: trio.Event = field(default_factory=trio.Event)

    def fail(self, fault: str) -> None:
        self.fault = fault
        self.broken.set()


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

    One that is not vital is started again however often it crashes: the house goes on without it.
    """
    restarts = Restarts() if vital else Restarts(most=None)
    run = partial(supervise, name, run, restarts=restarts, on_restart=metrics.restarted)
    await nursery.start(partial(_keep, name, run, refuse, health=health))


async def _keep(
    name: str,
    run: Startable,
    refuse: Callable[[], None],
    *,
    health: Health,
    task_status: trio.TaskStatus[None],
) -> None:
    """Run what is supervised, and say so when that is hopeless; nobody waits on then."""
    try:
        await run(task_status=task_status)
    except Hopeless:
        log.exception("%s is down for good", name)
        health.fail(f"the {name} actor is down for good")
    finally:
        refuse()


def refuse_mail(inbox: trio.MemoryReceiveChannel[Answerable]) -> None:
    """Tell everybody whose message is unread, and take no more."""
    with inbox, suppress(trio.WouldBlock, trio.EndOfChannel):
        while True:
            inbox.receive_nowait().reply.close()
