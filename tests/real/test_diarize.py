"""Who spoke, by the networks of the installed package, in a recording of two people."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr.pipeline.diarize.diarizer import SpeakerDiarizer
from asr.pipeline.diarize.sources import find_source
from asr.pipeline.models import ModelSettings
from asr.pipeline.speakers import Diarization, Diarize, SpeakerSettings
from tests.real import sounds

if TYPE_CHECKING:
    from asr.pipeline.audio import Audio

pytestmark = pytest.mark.real

TWO = Path(__file__).parent.parent / "audio" / "two-people.flac"


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


def diarized(diarizer: SpeakerDiarizer, question: Diarize) -> Diarization:
    task = diarizer.begin(question)
    while not task.done:
        told = task.advance()
    assert told.result is not None
    return told.result


def test_the_turns_of_two_people_are_theirs(diarizer: SpeakerDiarizer, two: Audio) -> None:
    told = diarized(diarizer, Diarize(two, count=2)).exclusive
    names = {"austen": "SPEAKER_00", "kennedy": "SPEAKER_01"}
    truth = json.loads(TWO.with_suffix(".json").read_text())
    assert [turn.speaker for turn in told] == [names[who] for _, _, who in truth]
    ours = [time for turn in told for time in (turn.start_s, turn.end_s)]
    assert ours == pytest.approx(
        [time for start, end, _ in truth for time in (start, end)], abs=0.2
    )
