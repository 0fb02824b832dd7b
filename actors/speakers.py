"""Who speaks: found beside the transcription, and then said of its words."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import trio

from asr.actors.beside import Later, beside
from asr.actors.clips import open_clips
from asr.actors.trail import stage
from asr.pipeline.errors import AsrError, SpeakersUnavailable
from asr.pipeline.joining import attribute, without_words
from asr.pipeline.speakers import Diarize

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from asr.actors.stages.addresses import SpeakerFinder
    from asr.actors.transcriber import Stations
    from asr.pipeline.audio import Audio
    from asr.pipeline.speakers import Clip, Diarization, SpeakerSettings
    from asr.pipeline.types import Options, Segment


@dataclass(frozen=True, slots=True)
class Spoken:
    """Segments as they are shown: each with who speaks, as far as that is known."""

    segments: tuple[Segment, ...]
    diarization: Diarization | None = None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Speakers:
    """A diarization that is under way, if speakers were asked for."""

    _options: Options
    _settings: SpeakerSettings
    _later: Later[Diarization] | None

    async def of(self, segments: tuple[Segment, ...]) -> Spoken:
        """Who speaks in these segments, once that is known.

        A diarizer that fails or is late never costs the transcript: there is a warning then.
        """
        if self._later is None or not segments:  # of silence there is nothing to wait for
            return Spoken(segments)
        try:
            diarization = await self._later.in_time()
            if diarization is None:
                raise SpeakersUnavailable("the diarizer was not done in time")
        except AsrError as error:
            return Spoken(self._shown(segments), None, (f"speakers were skipped: {error.message}",))
        said = partial(
            attribute,
            segments,
            diarization,
            fill_nearest=self._settings.fill_nearest,
            resegment=self._ends_at_changes(),
        )
        # Beside the loop: an hour has ten thousand words.
        attributed = await trio.to_thread.run_sync(said)
        return Spoken(self._shown(attributed), diarization, diarization.warnings)

    def _ends_at_changes(self) -> bool:
        """Whether segments end where the speaker changes; who sees no words would not see it."""
        asked = self._options.resegment
        return (self._settings.resegment or not self._options.words) if asked is None else asked

    def _shown(self, segments: tuple[Segment, ...]) -> tuple[Segment, ...]:
        """Words that were needed for who speaks are not shown unless they were asked for."""
        return segments if self._options.words else without_words(segments)


@asynccontextmanager
async def speakers_beside(
    options: Options,
    audio: Audio,
    stations: Stations,
    diarizer: SpeakerFinder | None,
    progress: Callable[[float], None],
) -> AsyncIterator[Speakers]:
    """Have it found out who speaks, beside what the block does; ``progress`` is told the share.

    Raises InvalidRequest if a clip of a known speaker is none.
    """
    settings = stations.speakers
    if not options.diarize:
        yield Speakers(options, settings, None)
        return
    async with open_clips(options.known_speakers, stations) as clips:
        progress(0.0)
        question = _question(options, audio, clips)
        async with beside(partial(_diarize, question, diarizer, progress)) as later:
            yield Speakers(options, settings, later)


async def _diarize(
    question: Diarize, diarizer: SpeakerFinder | None, progress: Callable[[float], None]
) -> Diarization:
    try:
        if diarizer is None:
            raise SpeakersUnavailable("nothing that tells speakers apart is installed here")
        with stage("diarize", beside=True):
            return await diarizer.diarize(question, progress=progress)
    finally:
        progress(1.0)  # failed or not, the rest does not wait for it


def _question(options: Options, audio: Audio, clips: tuple[Clip, ...]) -> Diarize:
    return Diarize(
        audio,
        count=options.num_speakers,
        fewest=options.min_speakers,
        most=options.max_speakers,
        known=clips,
    )
