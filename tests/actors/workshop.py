"""A worker with a scripted tool in its hand, and askers around it."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar, TypeVarTuple

from trio.testing import wait_all_tasks_blocked

from asr.actors.keeper import Health, keep
from asr.actors.metrics import Metrics
from asr.actors.workbench import run_worker
from asr.actors.worker import Answers, Worker, open_worker
from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from tests.fakes import FakeThread

A = TypeVar("A")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True)
class Job:
    """What takes so many steps; the answers are a1, a2 and so on."""

    name: str
    steps: int


@dataclass
class Script:
    """What tools have done, and what they stumble over: each fault once, where it says."""

    record: list[str] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)  # at "load", "begin a" or "a1"
    refusals: dict[str, int] = field(default_factory=dict)  # how often a job cannot begin yet
    made: int = 0
    alive: weakref.WeakSet[object] = field(default_factory=weakref.WeakSet)  # tools and tasks

    def tool(self) -> ScriptedTool:
        self.made += 1
        return ScriptedTool(self)

    def stumble(self, where: str) -> None:
        if fault := self.faults.pop(where, None):
            raise fault


@dataclass(eq=False)
class ScriptedTool:
    script: Script

    def __post_init__(self) -> None:
        self.cycle = self  # as networks have them
        self.script.alive.add(self)

    def load(self) -> None:
        self.script.stumble("load")
        self.script.record.append("load")

    def begin(self, job: Job, /) -> ScriptedTask | None:
        self.script.stumble(f"begin {job.name}")
        if self.script.refusals.get(job.name, 0):
            self.script.refusals[job.name] -= 1
            return None
        return ScriptedTask(self, job)


@dataclass(eq=False)
class ScriptedTask:
    tool: ScriptedTool
    job: Job
    stepped: int = 0

    def __post_init__(self) -> None:
        self.tool.script.alive.add(self)

    @property
    def done(self) -> bool:
        return self.stepped == self.job.steps

    def advance(self) -> str:
        assert not self.done, "there is nothing to do any more"
        answer = f"{self.job.name}{self.stepped + 1}"
        self.tool.script.stumble(answer)
        self.tool.script.record.append(answer)
        self.stepped += 1
        return answer


class Office(Worker[Job, str]):
    """Where to reach the worker."""


async def told(answers: Answers[str], heard: list[str]) -> None:
    """Put down every answer, as it comes."""
    async for answer in answers:
        heard += [answer]


class Workshop:
    """A worker that is kept at work, and what its askers hear."""

    def __init__(self, thread: FakeThread, *, vital: bool = True, mail_max: int = 8) -> None:
        self.script = Script()
        self.health = Health()
        self.heard: dict[str, list[str]] = {}
        self._thread = thread
        self._vital = vital
        self._mail_max = mail_max

    async def open(self, nursery: trio.Nursery) -> None:
        self.worker, intake = open_worker(Office, self._mail_max)
        await keep(
            "worker",
            partial(run_worker, intake, self.script.tool, self._thread),
            refuse=intake.close,
            nursery=nursery,
            health=self.health,
            metrics=Metrics(),
            vital=self._vital,
        )

    async def ask(self, name: str, steps: int = 1) -> None:
        """Ask, and put down every answer, and how that ended."""
        heard = self.heard[name] = []
        try:
            async with self.worker.ask(Job(name, steps), answers_max=steps) as answers:
                await told(answers, heard)
            heard.append("end")
        except AsrError as error:
            heard.append(type(error).__name__)

    def said(self) -> dict[str, str]:
        """What everybody has heard so far, in one line each."""
        return {name: " ".join(heard) for name, heard in self.heard.items()}


async def at_work(nursery: trio.Nursery, shop: Workshop, *jobs: tuple[str, int]) -> None:
    """Askers, one after the other."""
    for name, steps in jobs:
        nursery.start_soon(shop.ask, name, steps)
        await wait_all_tasks_blocked()


async def never_yielding(fn: Callable[[*Ts], T], /, *args: *Ts) -> T:
    """A thread so fast that nobody reads an answer before the last one is there."""
    return fn(*args)


@dataclass
class Teller(Generic[A]):
    """A tool that tells everybody the same, step by step; what is an error it raises."""

    tells: tuple[A | Exception, ...]
    asked: list[object] = field(default_factory=list)

    def load(self) -> None: ...

    def begin(self, question: object, /) -> Telling[A]:
        self.asked.append(question)
        return Telling([*self.tells])


@dataclass
class Telling(Generic[A]):
    left: list[A | Exception]

    @property
    def done(self) -> bool:
        return not self.left

    def advance(self) -> A:
        answer = self.left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer
