from __future__ import annotations

from pathlib import Path

import pytest

from asr.pipeline.audio import Audio
from asr.pipeline.fallback import is_silence, needs_another_try
from asr.pipeline.types import Hypothesis, Window

WINDOW = Window(Audio(Path("never-read.raw"), 160_000), 0.0, 10.0)


def heard(avg_logprob: float, no_speech_prob: float, compression_ratio: float) -> Hypothesis:
    return Hypothesis(WINDOW, (), 10.0, 0.0, avg_logprob, no_speech_prob, compression_ratio)


@pytest.mark.parametrize(
    ("avg_logprob", "no_speech_prob", "compression_ratio", "again", "silence"),
    [
        (-0.3, 0.1, 1.5, False, False),
        (-0.3, 0.1, 2.5, True, False),  # repetitive
        (-1.1, 0.1, 1.5, True, False),  # unsure
        (-1.1, 0.7, 1.5, False, True),  # unsure of no speech
        (-0.3, 0.7, 2.5, False, False),  # sure of its words, whatever the no-speech token says
        (-1.0, 0.6, 2.4, False, False),  # at every threshold
        (-1.0, 0.61, 2.4, False, True),  # mlx_whisper keeps words that are above it only
    ],
)
def test_a_hypothesis_is_judged_as_mlx_whisper_judges_it(
    avg_logprob: float, no_speech_prob: float, compression_ratio: float, again: bool, silence: bool
) -> None:
    hypothesis = heard(avg_logprob, no_speech_prob, compression_ratio)
    assert (needs_another_try(hypothesis), is_silence(hypothesis)) == (again, silence)
