"""The register of jobs: takes them in, says how they stand, hands out results, and forgets them.

Owns nothing but the way between the queue, which keeps what is to be done, and the store, which
keeps the audio: audio is there before its job is, and goes after it.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass
from hashlib import file_digest
from itertools import count
from secrets import token_hex
from time import time
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.blobs import RETRY_AFTER_S, BlobsFull
from asr.actors.jobs.order import Work, dump_work
from asr.actors.jobs.queue import (
    ENDED,
    WORK_CHARACTERS_MAX,
    Job,
    QueueFull,
    QueueUnavailable,
    UnknownJob,
)
from asr.pipeline.errors import AsrError, InvalidRequest
from asr.pipeline.records import load_error, load_transcript
from asr.pipeline.setting import MEGABYTE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.order import Order
    from asr.actors.jobs.queue import Events, JobQueue, Standing
    from asr.actors.jobs.settings import JobSettings
    from asr.actors.stages.keep import Keep
    from asr.actors.turns import Priority
    from asr.pipeline.types import Transcript

log = logging.getLogger(__name__)

SWEEP_EVERY_S = 60.0
PAGE = 100  # jobs that are looked at together

# Audio without a job is an upload that was not accepted, or is being accepted now; it is looked for
# once in so many sweeps.
ORPHANED_S = 3600.0
ORPHANS_EVERY = 60
GOODBYE_S = 3.0


class KeyReused(InvalidRequest):
    """An Idempotency-Key comes with another request than before."""

    def __init__(self) -> None:
        super().__init__("Another request had this Idempotency-Key", param="Idempotency-Key")


class NotDone(AsrError):
    """There is no result yet, or there will be none: the job was cancelled."""


@dataclass(frozen=True, slots=True)
class Register:
    """What may be asked of jobs. Where a ``client`` is given, others' jobs are unknown to it.

    Audio of no job is deleted when it is ``orphaned_s`` old: longer than any request takes, where
    requests have theirs in the same store.
    """

    queue: JobQueue
    blobs: Blobs
    keep: Keep
    settings: JobSettings
    clock: Callable[[], float] = time
    orphaned_s: float = ORPHANED_S

    async def refuse_if_full(self) -> None:
        """Raise Busy if no job could be accepted now: before an upload is read, not after."""
        stats = await self.queue.stats()
        if stats.waiting - stats.held >= self.settings.waiting_max:
            raise QueueFull(RETRY_AFTER_S)
        if await self.blobs.used_bytes() >= self.settings.audio_max_mb * MEGABYTE:
            raise BlobsFull

    async def submit(
        self,
        file: Path,
        order: Order,
        *,
        job_id: str,
        client: str,
        priority: Priority,
        webhook: str | None = None,
    ) -> Standing:
        """Keep a file and have it transcribed; the same id with the same order is the same job.

        Raises Busy, ClientBusy, StorageFull, and InvalidRequest for an id that is another order's.
        """
        digest = await trio.to_thread.run_sync(_digest, file)
        work = dump_work(Work(order, digest[:32]))
        if len(work) > WORK_CHARACTERS_MAX:
            what = f"A job's parameters may have {WORK_CHARACTERS_MAX:,} characters"
            message = f"{what}, the voices of known speakers in base64 among them"
            raise InvalidRequest(message, param="known_speaker_references")
        if there := await self._there(job_id, work, priority, webhook):
            return there
        await self.refuse_if_full()
        audio = f"{job_id}.{token_hex(8)}"  # its own: who comes twice may leave once, and take it
        job = Job(
            job_id,
            work,
            client=client,
            lane=order.model,
            priority=priority,
            webhook=webhook,
            label={**order.label(priority), "audio": audio},
            created_s=self.clock(),
        )
        await self.blobs.put(audio, file)
        await self._drop_if_left(audio)
        try:
            new = await self.queue.submit(job)
        except QueueUnavailable:
            raise  # the job may be there all the same, and need its audio; else that is swept
        except AsrError:
            await self.blobs.drop(audio)
            raise
        if not new:  # it came twice at once
            await self.blobs.drop(audio)
            if there := await self._there(job_id, work, priority, webhook):
                return there
        return await self.queue.standing(job_id)

    async def _drop_if_left(self, audio: str) -> None:
        """Somebody may have left while it was put, and nobody knows of it yet."""
        try:
            await trio.lowlevel.checkpoint_if_cancelled()
        except trio.Cancelled:
            with trio.move_on_after(GOODBYE_S, shield=True), suppress(AsrError, OSError):
                await self.blobs.drop(audio)
            raise

    async def _there(
        self, job_id: str, work: str, priority: Priority, webhook: str | None
    ) -> Standing | None:
        try:
            standing = await self.queue.standing(job_id)
        except UnknownJob:
            return None
        there = standing.job
        if (there.work, there.priority, there.webhook) != (work, priority, webhook):
            raise KeyReused
        return standing

    async def standing(self, job_id: str, *, client: str | None) -> Standing:
        """How a job stands. Raises UnknownJob, also for a request of somebody who waits for it."""
        standing = await self.queue.standing(job_id)
        if not standing.job.durable or client not in (None, standing.job.client):
            raise UnknownJob
        return standing

    async def list(
        self, *, client: str | None, after: str = "", limit: int = PAGE
    ) -> Sequence[Standing]:
        """Jobs, the newest first: those older than the job ``after``."""
        return await self.queue.list(client=client, after=after, limit=limit)

    async def transcript(self, job_id: str, *, client: str | None) -> Transcript:
        """What a job has brought. Raises UnknownJob, NotDone, or what the job failed of."""
        standing = await self.standing(job_id, client=client)
        if standing.state == "failed":
            raise load_error(standing.failure or {})
        if standing.state != "done":
            raise NotDone(f"The job is {standing.state}: it has no result")
        result = await self.queue.result(job_id)
        return await trio.to_thread.run_sync(load_transcript, result)

    async def events(self, job_id: str, *, client: str | None, after: int = 0) -> Events:
        """The events of a job after a number, as a context. Raises UnknownJob."""
        await self.standing(job_id, client=client)
        return self.queue.events(job_id, after=after)

    async def cancel(self, job_id: str, *, client: str | None) -> bool:
        """End a job; False if it has ended. Raises UnknownJob."""
        await self.standing(job_id, client=client)
        ended = await self.queue.cancel(job_id)
        await self.clear(job_id)
        return ended

    async def delete(self, job_id: str, *, client: str | None) -> None:
        """Forget a job and all there is of it; one that is at work is cancelled. UnknownJob."""
        await self.standing(job_id, client=client)
        await self._forget(job_id)

    async def _forget(self, job_id: str) -> None:
        """Whatever ends this half way, the job is still there to be found, and forgotten again."""
        standing = await self.queue.standing(job_id)
        await self.queue.cancel(job_id)
        await self.keep.drop_job(job_id)
        await self.blobs.drop(_audio(standing.job))
        with suppress(UnknownJob):  # it was there: so it is gone, if by an answer that was lost
            await self.queue.forget(job_id)

    async def clear(self, job_id: str) -> None:
        """A job has ended: give up what only its work needed."""
        standing = await self.queue.standing(job_id)
        if standing.state not in ENDED:
            return
        await self.keep.release(job_id)
        if not self.settings.keep_audio:
            await self.blobs.drop(_audio(standing.job))

    async def sweep(self) -> None:
        """Forget the jobs whose time is up; other processes may be at the same ones."""
        before_s = self.clock() - self.settings.keep_s
        while jobs := await self.queue.ended(before_s=before_s, limit=PAGE):
            for job_id in jobs:
                with suppress(UnknownJob):
                    await self._forget(job_id)

    async def sweep_audio(self) -> None:
        """Delete audio that no job needs any more."""
        await self.blobs.sweep(await self._wanted(), older_than_s=self.orphaned_s)

    async def _wanted(self) -> frozenset[str]:
        """The audio that jobs still need."""
        wanted: set[str] = set()
        after = ""
        while page := await self._older(after):
            kept = (one.job for one in page if self.settings.keep_audio or one.state not in ENDED)
            wanted.update(map(_audio, kept))
            after = page[-1].job.id
        return frozenset(wanted)

    async def _older(self, after: str) -> Sequence[Standing]:
        """Jobs older than this one; the newest, where it has been deleted meanwhile."""
        try:
            return await self.queue.list(after=after, limit=PAGE)
        except UnknownJob:
            return await self.queue.list(limit=PAGE)


async def run_register_sweeper(
    register: Register, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Have the register swept, at once and then each minute; what cannot be done waits for it."""
    task_status.started()
    for sweeps in count():
        try:
            await register.sweep()
            if sweeps % ORPHANS_EVERY == 0:
                await register.sweep_audio()
        except (AsrError, OSError):
            log.warning("jobs whose time is up could not be deleted now", exc_info=True)
        await trio.sleep(SWEEP_EVERY_S)


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return file_digest(opened, "sha256").hexdigest()


def _audio(job: Job) -> str:
    """Where a job's audio is kept."""
    return str(job.label["audio"])
