"""Fabricated conversations: what the measurements of bench/der.py rest on."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from bench.acoustics import SAMPLE_RATE
from bench.conversations import (
    Clip,
    Placed,
    Plan,
    clips_of,
    converse,
    mix,
    speech_in,
    turns_of,
)


def tone(seconds: float, amplitude: float = 0.1) -> np.ndarray:
    times = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    return (amplitude * np.sin(2 * np.pi * 440 * times)).astype(np.float32)


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * SAMPLE_RATE), np.float32)


@pytest.fixture
def drawers() -> Mapping[str, tuple[Clip, ...]]:
    clips = tuple(Clip(tone(length), ((0.0, length),)) for length in (0.8, 1.6, 2.4))
    return {"anna": clips, "bert": clips, "carl": clips}


def test_speech_ends_at_pauses_but_not_at_the_gaps_of_a_word() -> None:
    clip = np.concatenate([tone(1), silence(0.1), tone(1), silence(0.5), tone(1)])
    assert np.allclose(speech_in(clip), [(0.0, 2.1), (2.6, 3.6)])


def test_what_is_twenty_decibels_weaker_is_no_speech() -> None:
    assert np.allclose(speech_in(np.concatenate([tone(1), tone(1, 0.008)])), [(0.0, 1.0)])


def test_the_two_sets_share_no_clip(tmp_path: Path) -> None:
    for number in range(5):
        samples = (tone(1 + number) * 32767).astype("<i2")
        (tmp_path / f"{number}.pcm").write_bytes(samples.tobytes())
    lengths = [[round(clip.duration_s) for clip in clips_of(tmp_path, part)] for part in (0, 1)]
    assert lengths == [[1, 3, 5], [2, 4]]


def test_everybody_speaks_and_nobody_over_himself(drawers: Mapping[str, tuple[Clip, ...]]) -> None:
    plan = Plan("p", 900, ("anna", "bert", "carl"), (9, 9, 0.001), 0.9, 0.9)
    placed = list(converse(plan, drawers, np.random.default_rng(1)))
    assert {each.voice for each in placed} == set(plan.voices)
    for voice in plan.voices:
        own = sorted((p.start_s, p.start_s + p.clip.duration_s) for p in placed if p.voice == voice)
        assert all(end <= start for (_, end), (start, _) in pairwise(own))


def test_a_turn_lasts_over_short_pauses_and_is_told_where_it_is_spoken() -> None:
    word = Clip(tone(1), ((0.0, 1.0),))
    placed = (Placed(3.0, "bert", word), Placed(1.0, "anna", word), Placed(2.2, "anna", word))
    assert turns_of(placed) == [(1.0, 3.2, "anna"), (3.0, 4.0, "bert")]
    heard = mix(Plan("p", 5, ("anna", "bert"), snr_db=60), placed, np.random.default_rng(1))
    assert np.allclose(speech_in(heard), [(1.0, 4.0)], atol=0.02)


def test_the_same_conversation_is_made_each_time(drawers: Mapping[str, tuple[Clip, ...]]) -> None:
    plan = Plan("p", 30, ("anna", "bert"), telephone=True, reverberation_s=0.2)

    def made() -> bytes:
        random = np.random.default_rng(7)
        placed = tuple(converse(plan, drawers, random))
        return mix(plan, placed, random).tobytes()

    assert made() == made()
