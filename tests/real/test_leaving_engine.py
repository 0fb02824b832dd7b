"""The audio of a caller who leaves goes at any moment, also while the engine is at a step of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.pipeline.engine import EngineSettings, Row
from asr.pipeline.types import Decoding
from asr.pipeline.whisper import WhisperEngine
from tests.real import sounds

if TYPE_CHECKING:
    from pathlib import Path

    from asr.pipeline.engine import ModelFolder
    from asr.pipeline.types import Hypothesis

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_audio_that_goes_before_its_words_are_timed_costs_only_them(
    tiny: ModelFolder, tmp_path: Path
) -> None:
    engine = WhisperEngine(EngineSettings(compute_type="float32"))
    rows = []
    for name in ("stays", "goes"):
        (tmp_path / name).mkdir()
        audio = sounds.recorded(sounds.JFK, tmp_path / name)
        rows.append(Row(sounds.whole(audio), Decoding("en", words=True)))
    engine.admit(tiny, rows)
    rows[1].window.audio.path.unlink()
    answers: dict[Row, Hypothesis] = {}
    while len(answers) < len(rows):
        answers |= dict(engine.advance().finished)
    stays, goes = ([bool(piece.words) for piece in answers[row].pieces] for row in rows)
    assert all(stays)
    assert not any(goes)
    assert len(stays) == len(goes) > 0
