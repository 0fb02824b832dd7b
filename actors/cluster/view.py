"""What a front sees of the queue and of who works: looked at each second, shown at any time."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr.actors.jobs.queue import JobQueue, Stats
    from asr.actors.jobs.redis.roster import Roster, WorkerProcess

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0


@dataclass(slots=True)
class View:
    """As it was a second ago. ``reachable``: whether the queue's server answered then."""

    stats: Stats
    workers: tuple[WorkerProcess, ...] = ()
    reachable: bool = True

    @property
    def slots(self) -> int:
        """Jobs that can be worked on at once."""
        return sum(worker.slots for worker in self.workers)

    @property
    def busy(self) -> int:
        """Jobs that are being worked on, as the workers say."""
        return sum(worker.busy for worker in self.workers)

    @property
    def device(self) -> str:
        """What the workers run on."""
        return _each_once(worker.device for worker in self.workers)

    @property
    def compute_type(self) -> str:
        """The precision that they compute in."""
        return _each_once(worker.compute_type for worker in self.workers)

    @property
    def accelerated(self) -> bool:
        """Whether some worker has better than a CPU."""
        return any(worker.device != "cpu" for worker in self.workers)

    def idle(self, model: str, *, but: str) -> int:
        """How many workers have nothing to do, and would say of a window what one says of it.

        Those that compute otherwise than that one would at times say other words.
        """
        own = next((worker for worker in self.workers if worker.name == but), None)
        if own is None or not self.reachable:
            return 0
        return sum(
            does(worker, model) and not worker.busy and computes_as(worker, own)
            for worker in self.workers
            if worker is not own
        )

    def serves(self, model: str) -> bool:
        """Whether a job for this model would be taken; who is not there yet may take any."""
        return not self.workers or any(does(worker, model) for worker in self.workers)


def _each_once(words: Iterable[str]) -> str:
    return "+".join(sorted(set(words))) or "none"


def does(worker: WorkerProcess, model: str) -> bool:
    """Whether a worker takes jobs for this model; one that names none takes all."""
    return not worker.models or model in worker.models


def computes_as(one: WorkerProcess, other: WorkerProcess) -> bool:
    """Whether two workers compute on the same kind of device, in the same precision."""
    return (one.device, one.compute_type) == (other.device, other.compute_type)


async def run_view(
    queue: JobQueue,
    roster: Roster,
    *,
    task_status: trio.TaskStatus[View] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Look each second; ``started`` with what is seen, after the first look.

    Raises QueueUnavailable if there is nothing to be seen at first.
    """
    view = View(await queue.stats(), await roster.workers())
    task_status.started(view)
    while True:
        await trio.sleep(LOOK_EVERY_S)
        try:
            with trio.fail_after(5 * LOOK_EVERY_S):
                view.stats, view.workers = await queue.stats(), await roster.workers()
            view.reachable = True
        except (AsrError, trio.TooSlowError):
            if view.reachable:
                log.warning("the queue's server does not answer")
            view.reachable = False
