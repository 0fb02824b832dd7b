"""Tells the addresses that clients named of the end of their jobs, until somebody takes the news.

What is to be told is kept by the queue: a notice that this process took and did not settle is due
again, here or elsewhere. So an address may hear of the same end twice, by the same ``webhook-id``.
"""

from __future__ import annotations

import json
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.dialer import Dialer, Exchange, FarSide
from asr.actors.jobs.queue import UnknownJob
from asr.actors.jobs.signature import headers, signing_key
from asr.pipeline.errors import AsrError, InvalidRequest
from asr.pipeline.places import is_public, place_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from asr.actors.jobs.queue import JobQueue, Notice
    from asr.actors.jobs.settings import JobSettings
    from asr.pipeline.places import Address

    Describe = Callable[[str], Awaitable[Mapping[str, Any]]]

log = logging.getLogger(__name__)

AT_ONCE = 8  # addresses that are told at the same time
ANSWER_S = 10.0  # for all of it, from the name to the head of the answer
LEASE_S = 60.0  # after which a notice is due again whose teller was lost
ATTEMPTS_MAX = 12  # over about two and a half hours
FIRST_WAIT_S = 5.0
LONGEST_WAIT_S = 3600.0
JITTER = 0.2  # of a wait, up or down: those who were refused together come back apart
QUEUE_WAIT_S = 5.0  # before the queue is asked again that did not answer

GONE = 410  # "I want no more of this"


@dataclass(frozen=True, slots=True)
class Teller:
    """What it takes to tell of a job: what the job is, how to get there, and how to sign."""

    queue: JobQueue
    describe: Describe
    dialer: Dialer
    key: bytes
    now: Callable[[], float] = time.time

    async def tell(self, notice: Notice) -> None:
        """Tell the end of a job once, and put down what became of it."""
        try:
            job = await self.describe(notice.job_id)
        except UnknownJob:  # deleted meanwhile: nobody wants to know any more
            await self.queue.settle(notice)
            return
        why = await self._refused(notice, job)
        if why is None:
            await self.queue.settle(notice)
        elif notice.attempt >= ATTEMPTS_MAX or why == GONE:
            log.warning("job %s: its webhook was given up: %s", notice.job_id, why)
            await self.queue.settle(notice)
        else:
            log.info("job %s: its webhook is tried again: %s", notice.job_id, why)
            await self.queue.settle(notice, again_s=self.now() + wait_s(notice.attempt))

    async def _refused(self, notice: Notice, job: Mapping[str, Any]) -> str | int | None:
        """Why the address did not take the news; None if it did."""
        with trio.move_on_after(ANSWER_S):
            try:
                status = await self._post(notice.address, message(job))
            except (FarSide, InvalidRequest) as error:
                return str(error)
            return None if 200 <= status < 300 else status
        return f"no answer within {ANSWER_S:g} s"

    async def _post(self, address: str, said: Mapping[str, Any]) -> int:
        """The status of the answer. Where it redirects to is nowhere that was agreed upon."""
        place = place_of(address)
        body = json.dumps(said, ensure_ascii=False).encode()
        signed = headers(self.key, message_id=said["id"], at_s=int(self.now()), body=body)
        async with await self.dialer.connect(place) as stream:
            response = await Exchange(stream, place).ask(
                "POST",
                {
                    "User-Agent": "asr-service",
                    "Content-Type": "application/json",
                    "Content-Length": str(len(body)),
                    "Connection": "close",
                    **signed,
                },
                body,
            )
        return response.status_code


async def run_webhooks(
    queue: JobQueue,
    settings: JobSettings,
    *,
    describe: Describe,
    dialer: Dialer | None = None,
    now: Callable[[], float] = time.time,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Tell of jobs that end until cancelled; without a secret there is nobody to tell.

    ``describe`` is what a job is in clients' words, or UnknownJob.
    """
    task_status.started()
    if settings.webhook_secret is None:
        return
    key = signing_key(settings.webhook_secret.get_secret_value())
    allowed = anywhere if settings.webhooks_private else is_public
    teller = Teller(queue, describe, dialer or Dialer(is_allowed=allowed), key, now)
    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(tell_all, teller)


async def tell_all(teller: Teller) -> None:
    """Tell one after the other; a notice that cannot be settled now is due again."""
    while True:
        try:
            await teller.tell(await teller.queue.take_notice(lease_s=LEASE_S))
        except AsrError as error:  # the queue is away, or its disk refuses
            log.warning("webhooks wait for the queue: %s", error.message)
            await trio.sleep(QUEUE_WAIT_S)


def message(job: Mapping[str, Any]) -> dict[str, Any]:
    """What an address hears of a job; the id is the same each time that it hears it."""
    ended_s = job["ended_at"] or 0.0
    return {
        "id": f"msg_{job['id']}_{int(ended_s)}",
        "type": f"job.{job['state']}",
        "created_at": ended_s,
        "data": dict(job),
    }


def wait_s(attempt: int) -> float:
    """How long to wait after so many attempts: twice as long each time, to an hour."""
    wait = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (attempt - 1))
    return wait * random.uniform(1 - JITTER, 1 + JITTER)


def anywhere(_address: Address) -> bool:
    """This machine and its network, too: so the operator has it."""
    return True
