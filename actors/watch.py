"""Who watches a request is told where it stands, when it may be done, and how its audio looks.

Requests that nobody watches pass by here without a step.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, TypeAlias

import trio

from asr.actors.beside import beside
from asr.actors.forecast import Forecast
from asr.pipeline.waveform import Waveform, waveform

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asr.actors.ear import Notify
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import Progress

State = Literal["queued", "reading", "transcribing"]


@dataclass(frozen=True, slots=True)
class RequestStanding:
    """Where a request stands: how many seconds of its audio are done, of how many.

    ``place`` is that in the queue, from 1, while it waits there. ``left_s`` is how long it may
    take until it is done; None while nothing is known of that.
    """

    state: State
    place: int | None = None
    done_s: float = 0.0
    audio_s: float | None = None
    left_s: float | None = None


News: TypeAlias = RequestStanding | Waveform
Watch = Callable[[News], None]


class Watcher:
    """Makes news of what happens to one request; ``notify`` hears of its text as ever."""

    def __init__(self, watch: Watch, notify: Notify) -> None:
        self._watch = watch
        self._notify = notify
        self._forecast: Forecast | None = None  # from when the audio has been read
        self._done_s = 0.0

    def wait(self, place: int, left_s: float | None) -> None:
        """It waits in the queue."""
        self._watch(RequestStanding("queued", place, left_s=left_s))

    def read(self) -> None:
        """Its turn has come: the file is being read."""
        self._watch(RequestStanding("reading"))

    def begin(self, audio_s: float, usual: float | None) -> None:
        """The audio has been read; ``usual``: what a second of such audio lately took."""
        self._forecast = Forecast(audio_s, usual, now_s=trio.current_time())
        self._tell(0.0, audio_s)

    def hear(self, progress: Progress) -> None:
        """More of it is done, or more is known."""
        self._notify(progress)
        if progress.done_s > self._done_s:
            self._done_s = progress.done_s
            self._tell(progress.done_s, progress.total_s)

    async def draw(self, audio: Audio) -> None:
        """Tell what it looks like."""
        self._watch(await trio.to_thread.run_sync(waveform, audio, abandon_on_cancel=True))

    def _tell(self, done_s: float, audio_s: float) -> None:
        assert self._forecast is not None, "nothing is done before the audio has been read"
        now_s = trio.current_time()
        self._forecast.advance(done_s, now_s=now_s)
        left_s = self._forecast.left_s(now_s=now_s)
        self._watch(RequestStanding("transcribing", None, done_s, audio_s, left_s))


@asynccontextmanager
async def watched(
    audio: Audio, watcher: Watcher | None, usual: Callable[[], float | None]
) -> AsyncIterator[None]:
    """Have who watches see the audio, beside what the block does."""
    if watcher is None:
        yield
        return
    watcher.begin(audio.duration_s, usual())
    async with beside(partial(watcher.draw, audio)) as drawn:
        yield
        await drawn.result()
