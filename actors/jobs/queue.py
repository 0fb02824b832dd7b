"""The queue of jobs: what is kept until it is done, whatever becomes of this process.

One protocol, held by one suite of tests (``tests/actors/jobs/promises.py``), for all that implement
it: ``local/`` in this process with a journal on its disk, ``redis/`` for many machines. What is
to be done is the handler's business; here it is a text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, get_args

import trio

from asr.actors.turns import Priority
from asr.pipeline.errors import AsrError, Busy

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager

State = Literal["queued", "running", "done", "failed", "cancelled"]

STATES: tuple[State, ...] = get_args(State)
ENDED: tuple[State, ...] = ("done", "failed", "cancelled")  # also the kinds of a job's last event

# A process that dies at work costs the job that it was at a try. Who loses so many in a row, and
# comes no further, is given up: one more of these events in all shows that it came further. So is
# who has lost so many in all: each of them has cost the jobs beside it a try, too.
TRIES_MAX = 3
TRIES_ALL_MAX = 10
FURTHER = "segment"

WORK_CHARACTERS_MAX = 1 << 20  # base64 of known speakers' clips is the most of it


class UnknownJob(AsrError):
    """There is no such job: there never was, or it was deleted, or its time was up."""

    def __init__(self) -> None:
        super().__init__("There is no such job")


class QueueFull(Busy):
    """As many jobs wait as may."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__("Too many jobs are waiting; try again later", retry_after_s=retry_after_s)


class ClientBusy(Busy):
    """This client has as many jobs as it may; others may still have theirs."""

    def __init__(self, retry_after_s: float) -> None:
        super().__init__(
            "This client has as many jobs as it may have at a time; try again when one has ended",
            retry_after_s=retry_after_s,
        )


class Poison(AsrError):
    """So many processes died at this job that it is given up."""

    def __init__(self) -> None:
        super().__init__(
            f"Processes ended while they worked on this job: {TRIES_MAX} in a row without its "
            f"coming further, or {TRIES_ALL_MAX} in all"
        )


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be done. ``id`` is letters, digits, ``-`` and ``_``; who submits makes it.

    ``work`` says what, in the handler's words. ``lane`` is what its worker must have (a model's
    name); empty: any worker will do. A job that is not ``durable`` is over with who waits for it:
    it may be lost with its process, and is told nobody else. ``webhook`` is an address that is told
    of its end. ``label`` is what lists show of it, beside its state; ``created_s`` is Unix time.
    """

    id: str
    work: str = field(repr=False)
    client: str = ""
    lane: str = ""
    priority: Priority = Priority.BATCH
    durable: bool = True
    webhook: str | None = field(default=None, repr=False)
    label: Mapping[str, Any] = field(default_factory=dict)
    created_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a job: numbered from 1, without gaps. Its last is one of ENDED.

    ``data`` is an object of JSON.
    """

    number: int
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a job stands. Times are Unix time; ``place`` is that in line, from 1, while it waits.

    ``progress`` is the data of its last event of that kind; ``failure`` why it failed, as
    ``dump_error`` of ``pipeline/records.py`` has it.
    """

    job: Job
    state: State
    place: int | None = None
    tries: int = 0
    started_s: float | None = None
    ended_s: float | None = None
    progress: Mapping[str, Any] = field(default_factory=dict)
    failure: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """How many jobs wait and run, how many may wait, and for how long the first has.

    ``held`` are those that wait and are not durable.
    """

    waiting: int
    running: int
    waiting_max: int
    oldest_s: float = 0.0
    held: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many jobs may wait: durable ones, and those with somebody at the other end.

    ``client_max`` bounds the durable ones of a client that are not ended, ``ended_max`` how many
    ended ones are kept; the oldest go first.
    """

    durable_max: int = 1000
    held_max: int = 32
    client_max: int | None = None
    ended_max: int = 10_000


@dataclass(frozen=True, slots=True)
class Notice:
    """The end of a job, to be told to its webhook: ``attempt`` counts from 1."""

    job_id: str
    address: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Run:
    """A job in the hands of a worker.

    ``told`` counts the events that earlier tries have told, by kind: what is told again must be
    left out. ``tell`` adds an event, at once for who calls it; of "progress" only the latest is
    sure to be told, and its number of a second is bounded.
    """

    job: Job
    tries: int  # 1 at the first
    told: Mapping[str, int]
    tell: Callable[[str, Mapping[str, Any]], None]


class Handler(Protocol):
    """Does a job, and returns its result.

    An AsrError fails the job for good; a crash of the process costs it a try, of which it has three
    each time that it has come FURTHER. Cancelled when the job is, when another worker has taken it
    over, and when ``work`` is: then it goes back to its place at once, and that costs no try.
    """

    async def __call__(self, run: Run, /) -> bytes: ...


Events: TypeAlias = "AbstractAsyncContextManager[AsyncIterator[Event]]"


Leisure: TypeAlias = "Callable[[], Awaitable[None]]"  # returns when there is some


class JobQueue(Protocol):
    """Where jobs are kept. Everything here returns when it is true, also after a loss of power.

    What cannot be kept at the moment, because the server behind it is away for longer than a
    minute, is QueueUnavailable (a Busy).
    """

    async def submit(self, job: Job) -> bool:
        """Take a job in; False if one of this id is here already: that one stays as it is.

        Raises Busy when as many wait as may, ClientBusy when the client has its share.
        """
        ...

    async def standing(self, job_id: str) -> Standing:
        """How a job stands. Raises UnknownJob."""
        ...

    async def list(
        self, *, client: str | None = None, after: str = "", limit: int = 100
    ) -> Sequence[Standing]:
        """Durable jobs, the newest first: those older than the job ``after``."""
        ...

    def events(self, job_id: str, *, after: int = 0) -> Events:
        """The events of a job that come after that number: those there are, and then as they come.

        Ends after the last event. Raises UnknownJob, also when the job is deleted meanwhile.
        """
        ...

    async def result(self, job_id: str) -> bytes:
        """What the handler returned. Raises UnknownJob, also for a job that is not done."""
        ...

    async def cancel(self, job_id: str) -> bool:
        """End a job that has not ended; False if it has. Its worker stops at once. UnknownJob."""
        ...

    async def forget(self, job_id: str) -> None:
        """Delete all there is of a job that has ended; one that has not is cancelled first."""
        ...

    async def ended(self, *, before_s: float, limit: int = 100) -> Sequence[str]:
        """Ids of jobs that ended before that time (Unix), or are more than are kept: the oldest."""
        ...

    async def stats(self) -> Stats:
        """How many jobs wait and run."""
        ...

    async def work(
        self,
        handler: Handler,
        *,
        slots: int,
        lanes: Collection[str] | None = None,
        leisure: Leisure = trio.lowlevel.checkpoint,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Do jobs, ``slots`` at a time, until cancelled; those of ``lanes``, or of all.

        Interactive before batch, but neither starves; clients take turns. Each is taken only once
        there is ``leisure`` for it. Of those that have lost a try a process begins one at a time:
        see ``doubt.py``.
        """
        ...

    async def take_notice(self, *, lease_s: float) -> Notice:
        """The next notice that is due; waits for one. Due again after the lease unless settled."""
        ...

    async def settle(self, notice: Notice, *, again_s: float | None = None) -> None:
        """A notice has been given, or will be tried again at that time (Unix)."""
        ...


class QueueUnavailable(Busy):
    """The server that keeps the queue does not answer."""

    def __init__(self) -> None:
        super().__init__("The queue of jobs cannot be reached; try again later", retry_after_s=10.0)


def dumped(data: Mapping[str, Any]) -> str:
    """What an event or a label says, as it is kept. Raises ValueError or TypeError if not JSON."""
    return json.dumps(data, separators=(",", ":"), allow_nan=False)
