"""What is asked of the queue, and waited for: one job that is held."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import replace
from functools import partial
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING

import trio

from asr.actors.beside import beside
from asr.actors.cluster.held import dump_held
from asr.actors.jobs.queue import Job, QueueUnavailable, UnknownJob
from asr.actors.trail import request_id, stage
from asr.actors.watch import RequestStanding
from asr.pipeline.errors import AsrError, EngineRestarted
from asr.pipeline.records import load_error

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from asr.actors.cluster.held import Held, Listener
    from asr.actors.cluster.remote import RemoteHouse
    from asr.actors.turns import Priority
    from asr.actors.watch import Watch

    Forget = Callable[[], Awaitable[None]]

log = logging.getLogger(__name__)

GOODBYE_S = 3.0  # what taking back a job may take; after that it is taken back later
AGAIN_S = 5.0
LATER_MAX = 1000
PLACE_EVERY_S = 1.0  # how often who waits in line, and is watched, is told its place


class Errand:
    """One job that is held: from its file to its answer, with its news on the way."""

    def __init__(self, house: RemoteHouse, listener: Listener, watch: Watch | None) -> None:
        self._queue = house.queue
        self._blobs = house.blobs
        self._keep = house.keep
        self._later = house.later
        self._listener = listener
        self._watch = watch
        self._id = token_hex(16)

    async def run(
        self,
        held: Held,
        source: Path | None,
        once_read: Callable[[], Awaitable[None]],
        *,
        client: str,
        priority: Priority,
    ) -> bytes:
        """What the worker answers. Whatever ends this, nothing of it is left behind."""
        try:
            with stage("store"):
                work = dump_held(await self._kept(held, source))
                await self._queue.submit(
                    Job(
                        self._id,
                        work,
                        client=client,
                        lane=held.model,
                        priority=priority,
                        durable=False,
                        label={"audio": self._id},
                        created_s=time(),
                    )
                )
                await once_read()
            with stage("elsewhere"):
                return await self._answer()
        except UnknownJob:  # the queue's server has lost what it had
            raise QueueUnavailable from None
        finally:
            forget = partial(self._forget, source)
            with trio.CancelScope(shield=True):
                if not await _done(forget):
                    self._put_off(forget)

    async def _kept(self, held: Held, source: Path | None) -> Held:
        if source is not None:
            await self._blobs.put(self._id, source)
        audio = "" if source is None else self._id
        return replace(held, audio=audio, request=request_id() or self._id)

    async def _forget(self, source: Path | None) -> None:
        """Take back a job that is not done, and all there is of it."""
        try:
            with suppress(UnknownJob):
                await self._queue.forget(self._id)
        finally:
            if source is not None:
                await self._blobs.drop(self._id)
            await self._keep.release(self._id)

    def _put_off(self, forget: Forget) -> None:
        try:
            self._later.send_nowait(forget)
        except trio.WouldBlock:
            log.warning("a request that nobody waits for any more is left to the queue")

    async def _answer(self) -> bytes:
        """What the last event says there is, once all others have been heard."""
        async with beside(self._tell_places), self._queue.events(self._id) as events:
            async for event in events:
                if event.kind == "failed":
                    raise load_error(event.data["error"])
                if event.kind == "cancelled":
                    raise EngineRestarted
                if event.kind == "done":
                    return await self._queue.result(self._id)
                self._listener.hear(event)
        raise QueueUnavailable

    async def _tell_places(self) -> None:
        """Tell who watches its place in line, as long as it is there."""
        told: int | None = None
        while self._watch:
            standing = await self._queue.standing(self._id)
            if standing.state != "queued":
                return
            if standing.place not in (told, None):
                told = standing.place
                self._watch(RequestStanding("queued", told))
            await trio.sleep(PLACE_EVERY_S)


async def run_later(
    *, task_status: trio.TaskStatus[trio.MemorySendChannel[Forget]] = trio.TASK_STATUS_IGNORED
) -> None:
    """What could not be taken back in time is, when those who have it answer again."""
    later, receive = trio.open_memory_channel["Forget"](LATER_MAX)
    task_status.started(later)
    async for forget in receive:
        await _done_at_last(forget)


async def _done_at_last(forget: Forget) -> None:
    while True:
        if await _done(forget):
            return
        await trio.sleep(AGAIN_S)


async def _done(forget: Forget) -> bool:
    with trio.move_on_after(GOODBYE_S), suppress(AsrError, OSError):
        await forget()
        return True
    return False
