"""Who spoke, by the networks of the installed package, in a recording of two people."""

from __future__ import annotations

import json
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from asr.pipeline.audio import Audio, open_samples
from asr.pipeline.diarize.diarizer import SpeakerDiarizer
from asr.pipeline.diarize.filterbank import FRAME, SHIFT, Filterbank, filterbank
from asr.pipeline.diarize.sources import find_source
from asr.pipeline.models import ModelSettings
from asr.pipeline.speakers import Clip, Diarization, Diarize, Diarized, SpeakerSettings
from tests.real import sounds

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.real

TWO = Path(__file__).parent.parent / "audio" / "two-people.flac"
TRUTH = json.loads(TWO.with_suffix(".json").read_text())
NAMES = {"austen": "SPEAKER_00", "kennedy": "SPEAKER_01"}


@pytest.fixture(scope="module")
def diarizer(tmp_path_factory: pytest.TempPathFactory) -> SpeakerDiarizer:
    home = tmp_path_factory.mktemp("hub")
    source = find_source(ModelSettings(hf_home=home, hf_hub_offline=True))
    assert source is not None
    diarizer = SpeakerDiarizer(source, SpeakerSettings())
    diarizer.load()
    return diarizer


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Audio:
    return sounds.recorded(TWO, tmp_path_factory.mktemp("audio"))


@pytest.fixture(scope="module")
def told(diarizer: SpeakerDiarizer, two: Audio) -> Diarization:
    return diarized(diarizer, Diarize(two))


def diarized(diarizer: SpeakerDiarizer, question: Diarize) -> Diarization:
    task = diarizer.begin(question)
    shares, told = [0.0], Diarized(0.0)
    while not task.done:
        told = task.advance()
        shares.append(told.done)
    assert told.result is not None
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert task.advance() == told  # nothing is left to do
    audios = (question.audio, *(clip.audio for clip in question.known))
    assert len(shares) - 1 <= sum(2 * ceil(audio.duration_s) + 16 for audio in audios)
    return told.result


def part(audio: Audio, folder: Path, start_s: float, end_s: float) -> Audio:
    file = folder / f"{start_s}-{end_s}.pcm"
    (audio.read(start_s, end_s) * 32768).astype("<i2").tofile(file)
    return open_samples(file)


def silence(folder: Path, *, samples: int) -> Audio:
    file = folder / f"{samples}.pcm"
    np.zeros(samples, "<i2").tofile(file)
    return open_samples(file)


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return float(np.dot(one, other))


def test_the_turns_of_two_people_are_theirs(told: Diarization) -> None:
    ours = [time for turn in told.exclusive for time in (turn.start_s, turn.end_s)]
    truth = [time for start, end, _ in TRUTH for time in (start, end)]
    assert ours == pytest.approx(truth, abs=0.25)
    assert [turn.speaker for turn in told.exclusive] == [NAMES[who] for _, _, who in TRUTH]
    assert told.warnings == ()


def test_each_speaker_has_a_voice_of_256_numbers_that_is_like_no_others(told: Diarization) -> None:
    assert set(told.voices) == {turn.speaker for turn in told.turns}
    for voice in told.voices.values():
        assert len(voice) == 256
        assert np.isfinite(voice).all()
        assert cosine(voice, voice) == pytest.approx(1.0)
    assert cosine(*told.voices.values()) < 0.6
    assert "CAM++" in told.voice_model


def test_the_same_audio_has_the_same_voices_beside_another(
    diarizer: SpeakerDiarizer, two: Audio, told: Diarization, tmp_path: Path
) -> None:
    other = diarizer.begin(Diarize(part(two, tmp_path, 3.0, 20.0)))
    task = diarizer.begin(Diarize(two))
    while not task.done:
        other.advance()
        task.advance()
    assert task.advance().result == told


@pytest.mark.parametrize("count", [1, 3, 5])
def test_there_are_as_many_speakers_as_was_said(
    diarizer: SpeakerDiarizer, two: Audio, count: int
) -> None:
    told = diarized(diarizer, Diarize(two, count=count))
    assert {turn.speaker for turn in told.turns} == {f"SPEAKER_{n:02d}" for n in range(count)}
    assert told.voices.keys() == {turn.speaker for turn in told.turns}


def test_who_is_known_is_called_by_name(
    diarizer: SpeakerDiarizer, two: Audio, tmp_path: Path
) -> None:
    later = part(two, tmp_path, 16.6, 33.5)  # Austen, Kennedy, Austen
    known = (
        Clip("John", part(two, tmp_path, 12.5, 16.2)),
        Clip("Nobody", silence(tmp_path, samples=48_000)),
    )
    told = diarized(diarizer, Diarize(later, known=known))
    assert [turn.speaker for turn in told.exclusive] == ["SPEAKER_00", "John", "SPEAKER_00"]
    assert set(told.voices) == {"SPEAKER_00", "John"}
    assert told.warnings == ("No speech was found in the reference of the speaker 'Nobody'",)


@pytest.mark.parametrize("samples", [0, 1, 16_000, 200_000])
def test_in_silence_nobody_speaks(diarizer: SpeakerDiarizer, tmp_path: Path, samples: int) -> None:
    told = diarized(diarizer, Diarize(silence(tmp_path, samples=samples), count=2))
    assert replace(told, voice_model="") == Diarization((), ())


def test_a_word_is_somebodys(diarizer: SpeakerDiarizer, two: Audio, tmp_path: Path) -> None:
    told = diarized(diarizer, Diarize(part(two, tmp_path, 7.4, 8.2), count=3))
    assert {turn.speaker for turn in told.turns} == {"SPEAKER_00"}
    assert told.warnings == ("Only 1 of 3 speakers could be told apart",)


def test_settings_change_what_they_say(diarizer: SpeakerDiarizer, two: Audio) -> None:
    source = find_source(ModelSettings(hf_hub_offline=True))
    assert source is not None
    merged = SpeakerDiarizer(
        source, SpeakerSettings(param_overrides={"clustering": {"threshold": 2.0}})
    )
    told = diarized(merged, Diarize(two))
    assert {turn.speaker for turn in told.turns} == {"SPEAKER_00"}


def test_filterbanks_in_blocks_are_those_of_the_whole(two: Audio) -> None:
    whole = filterbank(two.read(0.0, 12.0))
    assert len(whole) == (12 * 16_000 - FRAME) // SHIFT + 1
    bank = Filterbank(two)
    for start, stop in ((0, 300), (100, 998), (250, 600), (990, 1150)):
        assert np.abs(bank.between(start, stop) - whole[start:stop]).max() < 1e-4
    assert len(bank.between(3300, 3500)) == (two.samples - FRAME) // SHIFT + 1 - 3300
