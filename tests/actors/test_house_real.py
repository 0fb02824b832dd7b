"""A house on the real clock, with real threads and the real ffmpeg."""

import wave
from functools import partial
from pathlib import Path

from asr.actors.fetcher import Fetcher, UrlSettings
from asr.actors.house import open_house
from asr.actors.tools import Tools
from asr.pipeline.speakers import SpeakerSettings
from asr.pipeline.types import Detected, Options
from tests.actors.fakes import said
from tests.actors.home import MACHINE, SETTINGS, Home


async def test_a_file_is_transcribed_and_its_language_told(tmp_path: Path) -> None:
    home = Home(tmp_path)
    speech = home.folder / "speech"
    with wave.open(str(speech), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", ""))
        file.writeframes(bytes(32_000))
    home.script.reads_files = True
    home.script.says = partial(said, text="Hello.")
    async with open_house(
        SETTINGS,
        engine=home.script.engine,
        tools=Tools(lambda: home.finder),
        models=home.store(),
        metrics=home.metrics,
        machine=MACHINE,
        spool=home.folder / "spool",
        fetcher=Fetcher(UrlSettings()),
        speakers=SpeakerSettings(),
    ) as house:
        transcript = await house.transcribe(speech, Options())
        detected = await house.detect_language(speech)
    assert (transcript.text, transcript.language, transcript.duration_s) == ("Hello.", "de", 1.0)
    assert detected == Detected("de", 0.9)
