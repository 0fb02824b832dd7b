"""The networks beside Whisper's, and who is employed to work with each."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

from asr.actors.stages.cache import NetworkNames
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

Make: TypeAlias = "Callable[[], Tool[Q, A]]"
Address: TypeAlias = "Callable[[trio.MemorySendChannel[WorkerMessage[Q, A]]], W]"


def _nothing(_language: str) -> Path:
    """It needs nothing that is not there."""
    return Path()


@dataclass(frozen=True, slots=True)
class Tools:
    """How each is made, in the thread that will own it; who speaks and when words are spoken need
    not be known.

    ``find_letters`` says where on this disk is what the aligner needs for a language, if it is
    there; else ``fetch_letters`` brings it. Both block, that one for minutes, and raise
    AlignmentUnavailable. ``networks`` tells those that are used from others.
    """

    finder: Make[Audio, Found]
    diarizer: Make[Diarize, Diarized] | None = None
    aligner: Make[Align, tuple[Segment, ...]] | None = None
    find_letters: Callable[[str], Path | None] = _nothing
    fetch_letters: Callable[[str], Path] = _nothing
    networks: NetworkNames = field(default_factory=NetworkNames)


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
        self, name: str, address: Address[Q, A, W], make: Make[Q, A], in_thread: InThread
    ) -> W:
        """Where to reach a worker without whom the house cannot be."""
        return await self._employ(name, address, make, in_thread, vital=True)

    async def employ_if(
        self, name: str, address: Address[Q, A, W], make: Make[Q, A] | None, in_thread: InThread
    ) -> W | None:
        """Where to reach a worker whom the house can do without; None if there is no tool."""
        if make is None:
            return None
        return await self._employ(name, address, make, in_thread, vital=False)

    async def _employ(
        self,
        name: str,
        address: Address[Q, A, W],
        make: Make[Q, A],
        in_thread: InThread,
        *,
        vital: bool,
    ) -> W:
        worker, intake = open_worker(address, self.mail_max)
        run = partial(run_worker, intake, make, in_thread)
        await self.start(name, run, refuse=intake.close, vital=vital)
        return worker
