"""Which of the jobs that were at work when a process died may have been its death."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.queue import FURTHER

if TYPE_CHECKING:
    from collections.abc import Callable

# A job that neither ends nor comes further keeps others waiting no longer than this.
TRIAL_S = 300.0


class Doubt:
    """Of the jobs that have lost a try a process begins one at a time; true while one is on trial.

    Which of two was deadly would else never be known, and the other be given up with it. It is over
    with the job, after TRIAL_S, and, where it is a job's first loss, when that comes further: what
    kills again although it came further is better left alone to its end.
    """

    def __init__(self, ended: Callable[[], None]) -> None:
        """``ended`` is called when the next one may begin; not where only time has passed."""
        self._ended = ended
        self._job: object = None
        self._lost = 0
        self._until_s = -math.inf

    def __bool__(self) -> bool:
        return self.until_s < math.inf

    @property
    def until_s(self) -> float:
        """When the time of the one on trial is up, on trio's clock; inf: there is none."""
        return self._until_s if self._until_s > trio.current_time() else math.inf

    def begin(self, job: object, *, lost: int) -> None:
        """A job begins that has lost so many tries."""
        if lost:
            self._job, self._lost, self._until_s = job, lost, trio.current_time() + TRIAL_S

    def told(self, job: object, kind: str) -> None:
        """A job has told an event, and may have come further by that."""
        if kind == FURTHER and self._lost == 1:
            self.end(job)

    def end(self, job: object) -> None:
        """A job is at work no more."""
        if self._job is job:
            self._job, self._until_s = None, -math.inf
            self._ended()
