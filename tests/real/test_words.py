"""Real speech through the whole house: the right words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import jiwer
import pytest
import trio

from asr.actors.tools import Tools
from asr.pipeline.types import Options, Transcript
from asr.pipeline.vad import SpeechFinder
from tests.real import sounds
from tests.real.house import open_real_house

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.pipeline.models import ModelStore

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time

WORDS = jiwer.Compose(
    [
        jiwer.ToLowerCase(),
        jiwer.SubstituteRegexes({r"\bmr\b\.?": "mister", "-": " "}),
        jiwer.RemovePunctuation(),  # type: ignore[no-untyped-call]
        jiwer.RemoveMultipleSpaces(),
        jiwer.Strip(),
        jiwer.ReduceToListOfListOfWords(),
    ]
)


def error_rate(file: Path, said: str) -> float:
    """Words put in, left out or changed, for each word of the file's text."""
    spoken = " ".join(file.with_suffix(".txt").read_text(encoding="utf-8").split())
    transforms = {"reference_transform": WORDS, "hypothesis_transform": WORDS}
    return float(jiwer.wer(spoken, said, **transforms))


@pytest.fixture(scope="module")
def transcripts(
    store: ModelStore, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Transcript]:
    """What base hears in each recording, all of them at once, in one house."""
    answers: dict[str, Transcript] = {}
    quiet = sounds.made("silence", sounds.silence(40.0), tmp_path_factory.mktemp("quiet"))
    asked = {file.stem: (file, Options()) for file in (sounds.AUSTEN, sounds.JFK, sounds.GERMAN)}
    asked["silence"] = (quiet.path, Options())

    async def work() -> None:
        async with (
            open_real_house(
                store, tools=Tools(SpeechFinder), spool=tmp_path_factory.mktemp("spool")
            ) as house,
            trio.open_nursery() as nursery,
        ):

            async def ask(name: str, file: Path, options: Options) -> None:
                raw = file.suffix == ".pcm"
                answers[name] = await house.transcribe(file, options, raw=raw)

            for name, (file, options) in asked.items():
                nursery.start_soon(ask, name, file, options)

    trio.run(work)
    return answers


@pytest.mark.parametrize(
    ("file", "language", "error_max"),
    [
        (sounds.AUSTEN, "en", 0.06),
        (sounds.JFK, "en", 0.0),
        (sounds.GERMAN, "de", 0.1),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else None,
)
def test_the_words_are_right(
    transcripts: Mapping[str, Transcript], file: Path, language: str, error_max: float
) -> None:
    heard = transcripts[file.stem]
    assert heard.language == language
    assert error_rate(file, heard.text) <= error_max, heard.text


def test_silence_is_an_empty_transcript_of_its_length(
    transcripts: Mapping[str, Transcript],
) -> None:
    assert transcripts["silence"] == Transcript("en", "transcribe", 40.0, ())


def test_segments_come_in_order_within_the_audio(transcripts: Mapping[str, Transcript]) -> None:
    heard = transcripts[sounds.AUSTEN.stem]
    times = [time for each in heard.segments for time in (each.start_s, each.end_s)]
    assert times == sorted(times)
    assert times[0] >= 0.0
    assert times[-1] <= heard.duration_s
    assert heard.duration_s == pytest.approx(44.0, abs=0.05)
