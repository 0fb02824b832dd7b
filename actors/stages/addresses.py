"""Those who work on the samples of a request, as far as the request has to do with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from asr.actors.turns import Priority

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from asr.actors.request import Heard
    from asr.pipeline.audio import Audio
    from asr.pipeline.engine import Growing, ModelFolder
    from asr.pipeline.speakers import Align, Diarization, Diarize
    from asr.pipeline.types import Decoding, Detected, Found, Hypothesis, Segment, Window


class Decoder(Protocol):
    """Says what is spoken: as ``gpu.py`` promises."""

    async def detect(self, model: ModelFolder, window: Window) -> Detected:
        """The language spoken in a window."""
        ...

    async def decode(
        self,
        model: ModelFolder,
        windows: tuple[Window, ...],
        decoding: Decoding,
        *,
        priority: Priority = Priority.INTERACTIVE,
        heard: Callable[[Heard], None] = lambda _: None,
        growing: Callable[[Growing], None] | None = None,
    ) -> list[Hypothesis]:
        """What is said in the windows, in their order."""
        ...


class Speech(Protocol):
    """What is found of an audio, in order of time."""

    @property
    def waiting(self) -> bool:
        """Whether there is more that has not been looked at."""
        ...

    async def more(self) -> Found:
        """What was found next; nothing comes after what is done."""
        ...


class SpeechFinder(Protocol):
    """Finds where somebody speaks: as ``listener.py`` promises."""

    def find_speech(self, audio: Audio) -> AbstractAsyncContextManager[Speech]:
        """Have an audio heard."""
        ...


class SpeakerFinder(Protocol):
    """Finds who speaks when: as ``diarizer.py`` promises."""

    async def diarize(self, question: Diarize, *, progress: Callable[[float], None]) -> Diarization:
        """Who speaks when."""
        ...


class WordFinder(Protocol):
    """Finds when words are spoken: as ``aligner.py`` promises."""

    async def align(self, question: Align) -> tuple[Segment, ...]:
        """The segments with their words."""
        ...


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a request passes by with its samples."""

    gpu: Decoder
    listener: SpeechFinder
    diarizer: SpeakerFinder | None = None
    aligner: WordFinder | None = None
