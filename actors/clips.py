"""Voices that a client knows: a few seconds of each, sent as files, as samples for the diarizer."""

from __future__ import annotations

from contextlib import ExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from asr.pipeline.audio import Wanted
from asr.pipeline.errors import InvalidRequest, UnreadableAudio
from asr.pipeline.speakers import Clip

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from asr.actors.transcriber import Stations
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import KnownSpeaker

FIELD = "known_speaker_references"  # in the request

# OpenAI's bounds. Encoders add a little at both ends, which is forgiven.
SHORTEST_S, LONGEST_S = 2.0, 10.0
FORGIVEN_S = 0.25


@asynccontextmanager
async def open_clips(
    known: Sequence[KnownSpeaker], stations: Stations
) -> AsyncIterator[tuple[Clip, ...]]:
    """The clips, as samples on disk for as long as the context lasts.

    Raises InvalidRequest that names the clip, and what the receiver raises when it has no room.
    """
    with ExitStack() as kept:
        clips = []
        for number, speaker in enumerate(known):
            target = kept.enter_context(stations.receiver.scratch(".pcm"))
            audio = await _samples(speaker.clip, target, stations, f"{FIELD}[{number}]")
            clips.append(Clip(speaker.name, audio))
        yield tuple(clips)


async def _samples(clip: bytes, target: Path, stations: Stations, name: str) -> Audio:
    enough = Wanted(first_s=LONGEST_S + 1)
    # Of a request that was let in: it counts as no upload of its client's.
    async with stations.receiver.open(declared_bytes=len(clip), client=None) as spool:
        await spool.write(clip)
        await spool.finish()
        try:
            audio = await stations.samples(spool.path, target, enough)
        except UnreadableAudio as error:
            raise InvalidRequest(f"{name}: {error.message}", param=FIELD) from error
    if not SHORTEST_S - FORGIVEN_S <= audio.duration_s <= LONGEST_S + FORGIVEN_S:
        bounds = f"{SHORTEST_S:g} to {LONGEST_S:g} s"
        raise InvalidRequest(f"{name}: a voice's clip must be {bounds} long", param=FIELD)
    return audio
