"""The whole house says what OpenAI's own Whisper says, on the same weights: the text, when it is
spoken, and where nothing is.

Its ``transcribe()`` has no network that finds speech, so here ours hears speech everywhere, and the
models have to know silence by themselves. Nothing is drawn by lot: every text is believed cold.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pytest
import trio

from asr.actors.tools import Tools
from asr.pipeline.assemble import Assembly
from asr.pipeline.audio import SAMPLE_RATE, open_samples
from asr.pipeline.fallback import UNSURE_AVG_LOGPROB
from asr.pipeline.types import Decoding, Options, Transcript
from asr.pipeline.vocabulary import STAMP_S
from tests.actors.fakes import FakeFinder
from tests.real import sounds
from tests.real.house import open_real_house
from tests.real.reference import Heard, Question, ask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from asr.actors.house import House
    from asr.pipeline.engine import ModelFolder
    from asr.pipeline.models import ModelStore

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time

QUIET_S = 0.05  # at the end of every sound


class Case(NamedTuple):
    model: str
    sound: str

    @property
    def language(self) -> str | None:
        """None: detected."""
        return None if self == Case("base", "german") else "en"


SOUNDS = ("jfk", "german", "noise", "silence", "chords")
UNSURE = Case("tiny.en", "german")  # it knows English only, and would try again, warmer
LONG = Case("tiny.en", "austen")  # it leaves the window early, and looks again at the rest
CASES = (*(Case(model, sound) for model in ("base", "tiny.en") for sound in SOUNDS), LONG)
STOCK = (Case("tiny.en", "jfk"), Case("tiny.en", "silence"))


class Answers(NamedTuple):
    ours: dict[Case, Transcript]
    theirs: dict[Case, Heard]
    stock: dict[Case, Heard]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every sound, no longer than a window, as samples that end in silence."""
    folder = tmp_path_factory.mktemp("quiet")
    samples = {
        file.stem: sounds.recorded(file, folder).read(0.0, 30.0 - QUIET_S).astype(np.float64)
        for file in (sounds.JFK, sounds.GERMAN, sounds.AUSTEN)
    }
    made = {"noise": sounds.noise, "silence": sounds.silence, "chords": sounds.chords}
    samples |= {name: make(10.0) for name, make in made.items()}
    quiet = np.zeros(round(QUIET_S * SAMPLE_RATE))
    return {
        name.split("-")[0]: sounds.made(name, np.concatenate([each, quiet]), folder).path
        for name, each in samples.items()
    }


@pytest.fixture(scope="module")
def answers(
    store: ModelStore,
    base: ModelFolder,
    tiny: ModelFolder,
    files: dict[str, Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Answers:
    """What we and they make of all the sounds, both at the same time."""
    folders = {model.name: model for model in (base, tiny)}
    answers = Answers({}, {}, {})

    def question(case: Case, *, stock: bool) -> Question:
        cold = {"temperatures": (0.0,)} if case == UNSURE else {}
        folder = str(folders[case.model].path)
        return Question(folder, str(files[case.sound]), case.language, stock=stock, **cold)

    async def they() -> None:
        questions = [question(case, stock=False) for case in CASES]
        questions += [question(case, stock=True) for case in STOCK]
        heard = await ask(questions)
        answers.theirs.update(zip(CASES, heard, strict=False))
        answers.stock.update(zip(STOCK, heard[len(CASES) :], strict=True))

    async def work() -> None:
        async with (
            open_real_house(
                store, tools=Tools(FakeFinder), spool=tmp_path_factory.mktemp("spool")
            ) as house,
            trio.open_nursery() as nursery,
        ):
            nursery.start_soon(they)
            for case in CASES:
                hear = hear_coldly if case == UNSURE else hear_in_full
                answers.ours[case] = await hear(house, folders[case.model], files, case)

    trio.run(work)
    return answers


async def hear_in_full(
    house: House, _model: ModelFolder, files: Mapping[str, Path], case: Case
) -> Transcript:
    """As every request."""
    options = Options(model=case.model, language=case.language)
    return await house.transcribe(files[case.sound], options, raw=True)


async def hear_coldly(
    house: House, model: ModelFolder, files: Mapping[str, Path], case: Case
) -> Transcript:
    """At temperature 0 alone, which no request can ask for: else words would be drawn by lot."""
    window = sounds.whole(open_samples(files[case.sound]))
    decoding = Decoding("en", temperatures=(0.0,))
    heard = await house.stations.gpu.decode(model, (window,), decoding)
    segments = Assembly(window.duration_s).preview(heard)
    return Transcript("en", "transcribe", window.duration_s, segments)


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_the_transcript_is_the_one_of_the_reference(answers: Answers, case: Case) -> None:
    ours, theirs = answers.ours[case], answers.theirs[case]
    assert (ours.text, ours.language) == (theirs.text, theirs.language)
    assert [segment.text for segment in ours.segments] == [line.text for line in theirs.lines]
    for segment, line in zip(ours.segments, theirs.lines, strict=True):
        assert (segment.temperature, line.temperature) == (0.0, 0.0)
        assert segment.start_s == pytest.approx(line.start_s, abs=STAMP_S)
        # Where it says that somebody speaks on past the end of the sound, we end with the sound.
        assert segment.end_s == pytest.approx(min(line.end_s, ours.duration_s), abs=STAMP_S)
        assert segment.avg_logprob == pytest.approx(line.avg_logprob, abs=0.02)
        assert segment.no_speech_prob == pytest.approx(line.no_speech_prob, abs=0.02)


def test_the_sounds_show_what_there_is_to_agree_on(answers: Answers) -> None:
    """Silence, a language that is detected, unsure words, a rest that is looked at again."""
    quiet = [case for case in CASES if case.sound in ("noise", "chords")]
    assert [answers.theirs[case].text for case in quiet] == [""] * 4
    assert answers.theirs[Case("base", "german")].language == "de"
    assert answers.ours[UNSURE].segments[0].avg_logprob < UNSURE_AVG_LOGPROB
    assert len({segment.window_start_s for segment in answers.ours[LONG].segments}) == 2


def test_with_the_references_own_filler_speech_has_the_same_words_and_silence_has_none(
    answers: Answers,
) -> None:
    jfk, silence = STOCK
    assert words(answers.stock[jfk].text) == words(answers.ours[jfk].text)
    assert answers.stock[jfk].lines != answers.theirs[jfk].lines  # commas and times do move
    # Silence alone makes the model say a word, surely: windows hold speech, which our listener sees
    # to. The filler happens to keep it quiet.
    assert (answers.stock[silence].text, answers.ours[silence].text) == ("", "you")


def words(text: str) -> list[str]:
    return [word.strip(",.").lower() for word in text.split()]
