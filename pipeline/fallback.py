"""Is a hypothesis worth believing? The tests and thresholds of OpenAI's ``transcribe()``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr.pipeline.engine import Row
    from asr.pipeline.types import Hypothesis

REPETITIVE_COMPRESSION_RATIO = 2.4
UNSURE_AVG_LOGPROB = -1.0
SILENT_NO_SPEECH_PROB = 0.6

# Ours: text is told before its window is at its end while it is well away from those bounds.
PROMISING_COMPRESSION_RATIO = 2.0
PROMISING_AVG_LOGPROB = -0.7


def next_temperature(row: Row, hypothesis: Hypothesis) -> float | None:
    """How warm the row is to try again; None if it is to be believed, or was the last try."""
    warmer = (t for t in row.decoding.temperatures if t > row.temperature)
    return next(warmer, None) if needs_another_try(hypothesis) else None


def needs_another_try(hypothesis: Hypothesis) -> bool:
    """Repetitive or unsure, and not silence: to be decoded again at a higher temperature.

    Silence is what is both probably no speech and unsure: mlx_whisper asks for the first only, and
    so believes what is said again and again where the model doubts that anybody speaks.
    """
    repetitive = hypothesis.compression_ratio > REPETITIVE_COMPRESSION_RATIO
    unsure = hypothesis.avg_logprob < UNSURE_AVG_LOGPROB
    silent = unsure and hypothesis.no_speech_prob > SILENT_NO_SPEECH_PROB
    return (repetitive or unsure) and not silent


def is_promising(hypothesis: Hypothesis) -> bool:
    """Whether what was said so far is so good that its window will hardly be decoded again."""
    varied = hypothesis.compression_ratio < PROMISING_COMPRESSION_RATIO
    sure = hypothesis.avg_logprob > PROMISING_AVG_LOGPROB
    return varied and sure and hypothesis.no_speech_prob <= SILENT_NO_SPEECH_PROB


def is_silence(hypothesis: Hypothesis) -> bool:
    """The model held it to be no speech and was unsure of its own words: they are not shown."""
    silent = hypothesis.no_speech_prob > SILENT_NO_SPEECH_PROB
    return silent and hypothesis.avg_logprob <= UNSURE_AVG_LOGPROB
