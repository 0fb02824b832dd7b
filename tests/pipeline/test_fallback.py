"""What is tried again, what is shown, and where the next look begins: as OpenAI's ``transcribe()``.

It and we get the same answers, from a script instead of a model, for one window of at most 30 s.
Where we differ on purpose, the tests at the end say how and why. Times are in frames of 10 ms,
which is how the reference counts, so that they can be compared exactly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from mlx_whisper.tokenizer import get_tokenizer
from whisper.decoding import DecodingResult
from whisper.transcribe import transcribe
from whisper.utils import compression_ratio

from asr.pipeline.assemble import Assembly
from asr.pipeline.audio import Audio
from asr.pipeline.engine import Row
from asr.pipeline.fallback import is_silence, needs_another_try, next_temperature
from asr.pipeline.types import TEMPERATURES, Decoding, Hypothesis, Window
from asr.pipeline.vocabulary import Vocabulary
from asr.pipeline.windows import rest_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.filterwarnings("ignore:Performing inference on CPU"),  # where there is a GPU, too
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),  # the reference's own
]

T = TypeVar("T")

FRAME = 160  # samples
CRUMB = 50  # frames that are not worth another look
LANGUAGES = 99
VOCABULARY = Vocabulary(get_tokenizer(True, num_languages=LANGUAGES), True, LANGUAGES, 448)
HA = " ha" * 60  # repetitive
PHRASES = (" He said", " so.", HA, "嗯，", " Ünique", "...", " ")


class Answer(NamedTuple):
    """What the model says at one temperature, text and timestamps of 20 ms, and how sure it is."""

    said: tuple[str | int, ...]
    avg_logprob: float = -0.3
    no_speech_prob: float = 0.1

    @property
    def tokens(self) -> tuple[int, ...]:
        encode, stamps = VOCABULARY.tokenizer.encode, VOCABULARY.stamp_first
        parts = (encode(each) if isinstance(each, str) else [stamps + each] for each in self.said)
        return tuple(token for part in parts for token in part)

    @property
    def logprobs(self) -> tuple[float, ...]:
        """Of the tokens, and of the end of the text."""
        return (self.avg_logprob,) * (len(self.tokens) + 1)

    @property
    def compression_ratio(self) -> float:
        text = VOCABULARY.tokenizer.decode(list(self.tokens)).strip()
        return float(compression_ratio(text))


SILENT = Answer((), avg_logprob=-2.0, no_speech_prob=0.9)


class Script(NamedTuple):
    """A window's length, and the answers to each look at it, from cold to warm: the last one holds
    for all that is warmer. After the last look there is silence.
    """

    frames: int
    looks: tuple[tuple[Answer, ...], ...]

    def answer(self, look: int, temperature: float) -> Answer:
        answers = self.looks[look] if look < len(self.looks) else (SILENT,)
        return answers[min(TEMPERATURES.index(temperature), len(answers) - 1)]


def frames(seconds: float) -> int:
    return round(seconds * 100)


class Segment(NamedTuple):
    look: int  # where the look began that heard it
    start: int
    end: int
    text: str
    measures: tuple[float, float, float]  # temperature, logprob, compression


class Outcome(NamedTuple):
    tried: list[tuple[int, float]]  # where the look began, and the temperature
    shown: list[Segment]

    @property
    def looks(self) -> list[int]:
        return sorted({look for look, _ in self.tried})

    @property
    def times(self) -> list[tuple[int, int]]:
        return [(segment.start, segment.end) for segment in self.shown]


@dataclass
class FakeWhisper:
    """As much of OpenAI's model as its ``transcribe()`` touches; it follows a script."""

    script: Script
    tried: list[tuple[int, float]] = field(default_factory=list)
    look: int = -1
    dims = SimpleNamespace(n_mels=80, n_audio_ctx=1500, n_text_ctx=448)
    device = torch.device("cpu")
    is_multilingual = True
    num_languages = LANGUAGES

    def decode(self, mel: torch.Tensor, options: Any) -> DecodingResult:
        self.look += options.temperature == TEMPERATURES[0]
        # In a spectrogram silence is not 0, but what fills it up is: that tells where we are.
        start = self.script.frames - int((mel[0] != 0).sum())
        self.tried.append((start, options.temperature))
        answer = self.script.answer(self.look, options.temperature)
        return DecodingResult(
            audio_features=mel,
            language="en",
            tokens=list(answer.tokens),
            avg_logprob=sum(answer.logprobs) / len(answer.logprobs),
            no_speech_prob=answer.no_speech_prob,
            temperature=options.temperature,
            compression_ratio=answer.compression_ratio,
        )


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Two threads need ten times as long for a spectrogram where the cores have other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def theirs(script: Script) -> Outcome:
    """What OpenAI's ``transcribe()`` makes of it."""
    model: Any = FakeWhisper(script)
    heard: Any = transcribe(
        model,
        np.zeros(script.frames * FRAME, np.float32),
        temperature=TEMPERATURES,
        condition_on_previous_text=False,
        language="en",
        fp16=False,
    )
    shown = [
        Segment(
            each["seek"],
            *(frames(each["start"]), frames(each["end"]), each["text"]),
            (each["temperature"], each["avg_logprob"], each["compression_ratio"]),
        )
        for each in heard["segments"]
        if each["text"]
    ]
    return Outcome(model.tried, shown)


def ours(script: Script) -> Outcome:
    """What we make of it."""
    audio = Audio(Path("never-read.pcm"), script.frames * FRAME)
    row: Row | None = Row(Window(audio, 0.0, audio.duration_s), Decoding("en"))
    tried: list[tuple[int, float]] = []
    heard: list[Hypothesis] = []
    while row:
        tried.append((frames(row.window.start_s), row.temperature))
        answer = script.answer(len(heard), row.temperature)
        hypothesis = VOCABULARY.hypothesis(
            row, answer.tokens, logprobs=answer.logprobs, no_speech_prob=answer.no_speech_prob
        )
        if (warmer := next_temperature(row, hypothesis)) is not None:
            row = replace(row, temperature=warmer)
            continue
        heard.append(hypothesis)
        rest = rest_of(hypothesis)
        row = Row(rest, row.decoding) if rest else None
    shown = [
        Segment(
            *(frames(each.window_start_s), frames(each.start_s), frames(each.end_s), each.text),
            (each.temperature, each.avg_logprob, each.compression_ratio),
        )
        for each in Assembly(audio.duration_s).preview(heard)
    ]
    return Outcome(tried, shown)


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    """What Whisper may say by its rules on timestamps, in looks of half a second and more."""
    gaps = [draw(st.integers(26, 325)), *draw(st.lists(st.integers(1, 300), max_size=7))]
    stamps = [stamp for stamp in accumulate(gaps) if stamp <= 1500]
    if len(stamps) <= 2:  # no more than one sentence
        stamps = [0, *stamps[1:]] if draw(st.booleans()) else []
    words = st.lists(st.sampled_from(PHRASES), min_size=1, max_size=2).map("".join)
    said: list[str | int] = [] if stamps else [draw(words)]
    for at, stamp in enumerate(stamps):
        begins = at % 2 == 0
        touching = begins and at and draw(st.booleans())
        said.append(said[-1] if touching else stamp)
        if begins and (at + 1 < len(stamps) or draw(st.booleans())):
            said.append(draw(words))
    logprob = draw(st.sampled_from((-0.3, -0.3, -1.0)) | st.floats(-2.0, 0.0))
    no_speech = draw(st.sampled_from((0.1, 0.6, math.nan)) | st.floats(0.0, 1.0))
    return Answer(tuple(said), logprob, no_speech)


def a_few(what: st.SearchStrategy[T]) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(what, min_size=1, max_size=3).map(tuple)


scripts = st.builds(Script, st.just(3000) | st.integers(1, 3000), a_few(a_few(answers())))


@settings(max_examples=200)
@given(scripts)
@example(Script(3000, ((Answer((0, " so.", 99, 99, " He"), -1.5, 0.9),),)))  # unsure of no speech
def test_whatever_the_model_says_we_try_show_and_move_on_as_the_reference(script: Script) -> None:
    we, they = ours(script), theirs(script)
    assert we.tried == they.tried[: len(we.tried)]
    for after, _ in they.tried[len(we.tried) :][:1]:
        assert script.frames - after <= CRUMB
    assert we.shown == [
        segment._replace(end=min(segment.end, script.frames))
        for segment in they.shown
        if segment.look in we.looks and segment.start < min(segment.end, script.frames)
    ]


@pytest.mark.parametrize(
    ("avg_logprob", "no_speech_prob", "compression_ratio", "again", "silence"),
    [
        (-0.3, 0.1, 1.5, False, False),
        (-0.3, 0.1, 2.5, True, False),  # repetitive
        (-1.1, 0.1, 1.5, True, False),  # unsure
        (-1.1, 0.7, 1.5, False, True),  # unsure of no speech
        (-0.3, 0.7, 1.5, False, False),  # sure of its words, whatever the no-speech token says
        (-1.0, 0.6, 2.4, False, False),  # at every threshold
        (-1.0, 0.61, 2.4, False, True),  # words are kept only above it
    ],
)
def test_a_hypothesis_is_judged_by_the_thresholds_of_the_reference(
    avg_logprob: float, no_speech_prob: float, compression_ratio: float, again: bool, silence: bool
) -> None:
    window = Window(Audio(Path("never-read.pcm"), 160_000), 0.0, 10.0)
    measures = (avg_logprob, no_speech_prob, compression_ratio)
    hypothesis = Hypothesis(window, (), 10.0, 0.0, *measures)
    assert (needs_another_try(hypothesis), is_silence(hypothesis)) == (again, silence)


def test_what_is_repeated_surely_is_tried_again_however_probable_no_speech_is() -> None:
    script = Script(1000, ((Answer((0, HA, 100), -0.3, 0.9), Answer((0, " so.", 100), -0.3, 0.9)),))
    assert theirs(script).tried == [(0, 0.0), (0, 0.2)]
    assert ours(script) == theirs(script)


def test_what_is_said_past_the_end_of_a_window_is_cut_because_nobody_spoke_there() -> None:
    script = Script(1000, ((Answer((0, " He said", 600, 700, " so.", 800)),),))
    assert theirs(script).times == [(0, 1200), (1400, 1600)]
    assert ours(script).times == [(0, 1000)]


def test_a_window_is_not_looked_at_again_for_half_a_second() -> None:
    script = Script(3000, ((Answer((0, " so.", 1480, 1480, " He said")),),))
    assert theirs(script).looks == [0, 2960]
    assert ours(script).looks == [0]


def test_the_next_look_is_half_a_second_further_on_at_least() -> None:
    script = Script(3000, ((Answer((0, " so.", 20, 20, " He said")),),))
    assert theirs(script).looks == [0, 40]
    assert ours(script).looks == [0, 50]


def test_a_lone_sentence_has_the_times_that_the_model_says() -> None:
    # The reference has it begin with the window, and takes its begin for its end if none is said.
    whole = Script(1000, ((Answer((50, " so.", 200)),),))
    begun = Script(1000, ((Answer((50, " so.")),),))
    assert (theirs(whole).times, theirs(begun).times) == ([(0, 400)], [(0, 100)])
    assert (ours(whole).times, ours(begun).times) == ([(100, 400)], [(100, 1000)])
