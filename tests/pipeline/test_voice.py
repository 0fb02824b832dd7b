"""Spans from scores that come bit by bit; test_vad.py holds them against whispermlx's own."""

from __future__ import annotations

import pytest

from asr.pipeline.voice import Voice

STEP_S = 0.016875  # of the network's frames


def heard(scores: list[float], *, bits: int, longest_s: float = 2.0) -> list[float]:
    """Starts and ends."""
    voice = Voice(longest_s=longest_s)
    frames = [(score, (i + 0.5) * STEP_S) for i, score in enumerate(scores)]
    size = max(1, len(frames) // bits)
    spans = [
        span for at in range(0, len(frames), size) for span in voice.hear(frames[at : at + size])
    ]
    return [time_s for span in (*spans, *voice.end()) for time_s in (span.start_s, span.end_s)]


def test_speech_is_told_when_it_has_ended_and_not_before() -> None:
    voice = Voice()
    assert list(voice.hear([(0.1, 0.0), (0.6, 1.0), (0.4, 2.0)])) == []
    (span,) = voice.hear([(0.2, 3.0)])
    assert (span.start_s, span.end_s) == (1.0, 3.0)
    assert list(voice.hear([(0.4, 4.0)])) == []  # below the onset
    assert list(voice.end()) == []


def test_speech_that_goes_on_to_the_end_ends_there() -> None:
    assert heard([0.9] * 10, bits=3) == pytest.approx([0.5 * STEP_S, 9.5 * STEP_S])


def test_nothing_heard_is_no_speech() -> None:
    voice = Voice()
    assert [*voice.hear([]), *voice.end()] == []


def test_what_is_kept_does_not_grow_with_the_audio() -> None:
    voice = Voice(longest_s=2.0)
    for second in range(1000):
        list(voice.hear([(0.9, second + i / 100) for i in range(100)]))
        assert len(voice._frames) <= 210
