"""What may be said to the GPU actor, and how it answers.

The reply is a channel with room for all its answers. It is the promise and the stream; closed early
by the actor it is the death notice, left by the caller it is the cancellation.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import trio

if TYPE_CHECKING:
    from asr.actors.request import Heard
    from asr.actors.turns import Priority
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.errors import AsrError
    from asr.pipeline.types import Decoding, Detected, Window

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """The actor's end of a reply: it has room for all answers, so that sending never waits."""

    channel: trio.MemorySendChannel[T | AsrError]

    @property
    def abandoned(self) -> bool:
        """Has the caller left?"""
        return self.channel.statistics().open_receive_channels == 0

    @property
    def read(self) -> bool:
        """Has the caller taken everything that was sent?"""
        return self.channel.statistics().current_buffer_used == 0

    def send(self, answer: T | AsrError) -> None:
        with suppress(trio.BrokenResourceError):  # the caller has left; it will be seen next turn
            self.channel.send_nowait(answer)

    def close(self) -> None:
        self.channel.close()


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


@dataclass(frozen=True, slots=True, eq=False)
class DropIdle:
    """Free the models that nobody has used for so long."""

    older_than_s: float
    reply: Reply[None]


GpuMessage: TypeAlias = Decode | Detect | Load | DropIdle
