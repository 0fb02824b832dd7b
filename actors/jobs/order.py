"""What a job is to do: a transcript of which audio, and how. Written into the job as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asr.pipeline.records import dump_options, load_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.actors.jobs.queue import Job
    from asr.actors.turns import Priority
    from asr.pipeline.types import Options


@dataclass(frozen=True, slots=True)
class Order:
    """What a client wants to have transcribed.

    ``model`` is a canonical name, ``raw`` says that the file is bare samples, ``name`` is the
    client's for the file, for people. ``remarks`` are what its options do not change: for the
    answer's ``warnings``.
    """

    options: Options
    model: str
    raw: bool = False
    name: str = ""
    remarks: tuple[str, ...] = ()

    def label(self, priority: Priority) -> dict[str, Any]:
        """What lists show of it."""
        return {
            "file_name": self.name,
            "model": self.model,
            "language": self.options.language,
            "task": self.options.task,
            "diarize": self.options.diarize,
            "priority": priority.name.lower(),
        }


@dataclass(frozen=True, slots=True)
class Work:
    """An order, and the digest of its audio; where that is kept, the job's label says."""

    order: Order
    audio: str


def dump_work(work: Work) -> str:
    """Work as a job holds it: the same text for the same order of the same audio."""
    order = work.order
    return json.dumps(
        {
            "audio": work.audio,
            "model": order.model,
            "raw": order.raw,
            "name": order.name,
            "remarks": order.remarks,
            "options": dump_options(order.options),
        },
        sort_keys=True,
    )


def load_work(job: Job) -> Work:
    """What a job holds. Raises ValueError for one of another version."""
    try:
        said: Mapping[str, Any] = json.loads(job.work)
        order = Order(
            load_options(said["options"]),
            said["model"],
            raw=said["raw"],
            name=said["name"],
            remarks=tuple(said["remarks"]),
        )
        return Work(order, said["audio"])
    except (KeyError, TypeError) as error:
        raise ValueError("not the work of this version") from error
