"""What the front desk and the terminal ask of a house: this machine's, or one that many share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from asr.actors.turns import Priority

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from asr.actors.ear import Notify
    from asr.actors.fetcher import Fetcher
    from asr.actors.messages import Unloaded
    from asr.actors.metrics import Metrics
    from asr.actors.queue import QueueStats
    from asr.actors.receiver import Receiver
    from asr.actors.watch import Watch
    from asr.pipeline.engine import LoadedModel
    from asr.pipeline.models import ModelStore
    from asr.pipeline.types import Detected, Options, Transcript


class AnyHouse(Protocol):
    """What may be asked of a house; ``House`` says what it means.

    Nothing of it waits for an actor but what is awaited.
    """

    @property
    def metrics(self) -> Metrics: ...

    @property
    def models(self) -> ModelStore: ...

    @property
    def receiver(self) -> Receiver: ...

    @property
    def fetcher(self) -> Fetcher: ...

    @property
    def device(self) -> str: ...

    @property
    def compute_type(self) -> str: ...

    @property
    def diarizes(self) -> bool: ...

    def queue_stats(self) -> QueueStats: ...

    def loaded_models(self) -> tuple[LoadedModel, ...]: ...

    def broken(self) -> str | None: ...

    @property
    def hung(self) -> bool: ...

    @property
    def degraded(self) -> tuple[str, ...]: ...

    async def wait_broken(self) -> None: ...

    def refuse_if_full(self) -> None: ...

    async def preload(self, name: str) -> None: ...

    async def load(self, name: str, *, client: str = "") -> bool: ...

    async def unload(self, name: str) -> Unloaded: ...

    async def transcribe(
        self,
        source: Path,
        options: Options,
        *,
        client: str = "",
        raw: bool = False,
        priority: Priority = Priority.INTERACTIVE,
        notify: Notify = ...,
        live: bool = False,
        once_read: Callable[[], Awaitable[None]] = ...,
        watch: Watch | None = None,
    ) -> Transcript: ...

    async def detect_language(
        self,
        source: Path,
        *,
        model: str | None = None,
        raw: bool = False,
        audio_track: int | None = None,
    ) -> Detected: ...
