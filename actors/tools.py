"""The networks beside Whisper's, and who is employed to work with each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from asr.actors.workbench import run_worker
from asr.actors.worker import open_worker

if TYPE_CHECKING:
    from collections.abc import Callable

    import trio

    from asr.actors.supervisor import Startable
    from asr.actors.thread import InThread
    from asr.actors.worker import Tool, WorkerMessage
    from asr.pipeline.audio import Audio
    from asr.pipeline.speakers import Align, Diarize, Diarized
    from asr.pipeline.types import Found, Segment

Q = TypeVar("Q")
A = TypeVar("A")
W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Tools:
    """How each is made, in the thread that will own it; who speaks and when words are spoken need
    not be known.
    """

    finder: Callable[[], Tool[Audio, Found]]
    diarizer: Callable[[], Tool[Diarize, Diarized]] | None = None
    aligner: Callable[[], Tool[Align, tuple[Segment, ...]]] | None = None


class Start(Protocol):
    """Starts an actor under supervision."""

    async def __call__(
        self, name: str, run: Startable, *, refuse: Callable[[], None], vital: bool
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Employer:
    """Starts workers, each with room for so many unread messages."""

    start: Start
    mail_max: int

    async def employ(
        self,
        name: str,
        address: Callable[[trio.MemorySendChannel[WorkerMessage[Q, A]]], W],
        make: Callable[[], Tool[Q, A]],
        in_thread: InThread,
        *,
        vital: bool = True,
    ) -> W:
        """Where to reach the new worker; one that is not vital is never given up."""
        worker, intake = open_worker(address, self.mail_max)
        run = partial(run_worker, intake, make, in_thread)
        await self.start(name, run, refuse=intake.close, vital=vital)
        return worker
