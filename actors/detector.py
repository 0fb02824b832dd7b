"""Which language is spoken in a file: its beginning is read, and the model asked once.

A function, as ``transcriber``. It takes no place in the queue, so long jobs are not in its way.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from asr.actors.ahead import FIRST, Ahead
from asr.actors.trail import note, stage
from asr.pipeline.engine import ModelFolder
from asr.pipeline.types import Detected, Window
from asr.pipeline.windows import WINDOW_S

if TYPE_CHECKING:
    from pathlib import Path

    from asr.actors.transcriber import Stations
    from asr.pipeline.audio import Wanted

# Films begin with music; speech that comes later than this is not waited for.
LISTEN_S = 600.0

# Of silence the model is as sure as of speech, which would be taken at its word.
SILENCE_PROBABILITY_MAX = 0.1


async def detect_language(
    source: Path, *, model: str, wanted: Wanted, stations: Stations
) -> Detected:
    """The language of the first speech in a file; ``model`` is a canonical name.

    Where nobody speaks in its first ten minutes, it is a guess, of low probability.
    """
    with stage("model"):
        folder = ModelFolder(model, await stations.librarian.fetch(model))
    with stations.receiver.scratch(".pcm") as target:
        with stage("read"):
            audio = await stations.samples(source, target, replace(wanted, first_s=LISTEN_S))
        note(model=model, audio_s=round(audio.duration_s, 3))
        with stage("vad"):
            async with stations.listener.find_speech(audio) as speech:
                windows = await Ahead(audio, speech, FIRST).windows()
        silence = Window(audio, 0.0, min(WINDOW_S, audio.duration_s))
        with stage("decode"):
            guess = await stations.gpu.detect(folder, windows[0] if windows else silence)
        note(language=guess.language)
        if windows:
            return guess
    return replace(guess, probability=min(guess.probability, SILENCE_PROBABILITY_MAX))
