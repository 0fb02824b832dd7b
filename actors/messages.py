"""What may be said to the GPU actor, and how it answers.

The reply holds a channel with room for all its answers. It is the promise and the stream; closed
early by the actor it is the death notice, left by the caller it is the cancellation.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import trio

from asr.actors.trail import request_id
from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr.actors.request import Heard
    from asr.actors.turns import Priority
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.types import Decoding, Detected, Window

T = TypeVar("T")


class Reply(Generic[T]):
    """A reply with room for so many answers, all that there may be: sending never waits."""

    def __init__(self, answers_max: int) -> None:
        self._tell, self._hear = trio.open_memory_channel[T | AsrError](answers_max)
        self.abandoned = False  # beside the channel: it is looked at before each step of the batch
        self.whose = request_id()  # of who made it

    @contextmanager
    def listening(self) -> Iterator[trio.MemoryReceiveChannel[T | AsrError]]:
        """The caller's end; leaving it is how a caller says never mind."""
        try:
            with self._hear:
                yield self._hear
        finally:
            self.abandoned = True

    @property
    def read(self) -> bool:
        """Has the caller taken everything that was sent?"""
        return self._tell.statistics().current_buffer_used == 0

    def send(self, answer: T | AsrError) -> None:
        with suppress(trio.BrokenResourceError):  # the caller has left; it will be seen next turn
            self._tell.send_nowait(answer)

    def close(self) -> None:
        """That was all, or there will be no more."""
        self._tell.close()


@dataclass(frozen=True, slots=True, eq=False)
class Decode:
    """Say what is spoken in these windows; what is being said of the first of them, if it grows."""

    model: ModelFolder
    windows: tuple[Window, ...]
    decoding: Decoding
    reply: Reply[Heard | Growing]
    priority: Priority
    grows: bool


@dataclass(frozen=True, slots=True, eq=False)
class Detect:
    """Say which language is spoken in this window."""

    model: ModelFolder
    window: Window
    reply: Reply[Detected]


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """Have this model in memory."""

    model: ModelFolder
    reply: Reply[None]


class Unloaded(Enum):
    """What has become of a model that was to be freed."""

    FREED = "freed"
    ABSENT = "it was not in memory"
    IN_USE = "somebody is waiting for what it says"


@dataclass(frozen=True, slots=True, eq=False)
class Unload:
    """Free this model, unless it is in use."""

    name: str
    reply: Reply[Unloaded]


@dataclass(frozen=True, slots=True, eq=False)
class DropIdle:
    """Free the models that nobody has used for so long."""

    older_than_s: float
    reply: Reply[None]


GpuMessage: TypeAlias = Decode | Detect | Load | Unload | DropIdle
