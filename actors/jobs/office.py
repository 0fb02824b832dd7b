"""Jobs at work: the register, what does them, what tells of their ends, and what sweeps."""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.queue import UnknownJob
from asr.actors.jobs.register import Register, run_register_sweeper
from asr.actors.jobs.runner import Guarded
from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection

    from asr.actors.jobs.queue import Handler, Run

log = logging.getLogger(__name__)

# How long the end of a job is waited for, once its work is done, before what it needed is given up;
# the sweeper does what is left.
END_S = 10.0


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does jobs here: how many at a time, and which."""

    handler: Handler
    slots: int
    lanes: Collection[str] | None = None


@asynccontextmanager
async def open_jobs(
    register: Register,
    crew: Crew | None,
    *,
    tell_ends: Callable[[], Awaitable[None]] | None = None,
) -> AsyncIterator[Register]:
    """Jobs are done for as long as the context lasts; those at work go back to their place then.

    ``tell_ends`` tells webhooks of them; None where there are none.
    """
    async with trio.open_nursery() as nursery:
        await nursery.start(run_register_sweeper, register)
        if tell_ends is not None:
            nursery.start_soon(tell_ends)
        if crew is not None:
            work = partial(_then_clear, Guarded(crew.handler), register, nursery)
            await nursery.start(
                partial(register.queue.work, work, slots=crew.slots, lanes=crew.lanes)
            )
        yield register
        nursery.cancel_scope.cancel()


async def _then_clear(
    handler: Handler, register: Register, nursery: trio.Nursery, run: Run, /
) -> bytes:
    """Do a job, and have what it needed given up once its end is known."""
    try:
        return await handler(run)
    finally:
        nursery.start_soon(_clear, register, run)


async def _clear(register: Register, run: Run) -> None:
    known = sum(run.told.values())
    with trio.move_on_after(END_S):
        try:
            async with register.queue.events(run.job.id, after=known) as events:
                async for _ in events:
                    pass
            await register.clear(run.job.id)
        except UnknownJob:  # deleted meanwhile, and what it has kept since then with it
            await register.keep.drop_job(run.job.id)
        except (AsrError, OSError) as error:
            log.warning("what job %s needed is given up later: %s", run.job.id, error)
