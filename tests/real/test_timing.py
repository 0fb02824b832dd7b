"""Words have mlx_whisper's times, less lags and pauses; nearly those at which they are said."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import partial
from itertools import accumulate, pairwise
from statistics import median
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest
from mlx_whisper.timing import add_word_timestamps, find_alignment
from mlx_whisper.tokenizer import get_tokenizer

from asr.pipeline.batch import Batch
from asr.pipeline.engine import Row
from asr.pipeline.mel import log_mel
from asr.pipeline.network import cross_keys_values, encode
from asr.pipeline.pauses import Interval, beside_pauses, find_pauses
from asr.pipeline.timing import LAGS_S, Alignment, Text, add_words, align
from asr.pipeline.types import Decoding, Hypothesis, Piece, Window, Word
from tests.real import sounds

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr.pipeline.shelf import Shelved

pytestmark = pytest.mark.real

ENGLISH = Decoding("en", words=True)
CASES = {
    "base": {
        "jfk": ENGLISH,
        "german": Decoding("de", words=True),
        "dashwood": replace(ENGLISH, prompt="Mrs. Dashwood; Norland Park, in Sussex."),
    },
    "tiny.en": {"jfk": ENGLISH, "austen": ENGLISH},
}


@dataclass(frozen=True)
class Ear:
    """A model, and the audio of windows as it hears them."""

    shelved: Shelved
    mels: dict[Window, mx.array]
    features: dict[Window, mx.array]

    def hear(self, asked: Sequence[tuple[Window, Decoding]]) -> list[Hypothesis]:
        """What is said in windows that are decoded together."""
        batch = Batch(self.shelved.model, self.shelved.vocabulary)
        rows = [Row(window, decoding) for window, decoding in asked]
        features = mx.stack([self.features[window] for window, _ in asked])
        batch.join(rows, features, slots_max=8)
        answers: dict[Row, Hypothesis] = {}
        while len(batch):
            answers |= batch.advance().finished
        return [answers[row] for row in rows]

    def align(self, texts: dict[Window, Text]) -> list[Alignment]:
        features = mx.stack([self.features[window] for window in texts])
        cross = cross_keys_values(self.shelved.model, features)
        model, vocabulary = self.shelved.model, self.shelved.vocabulary
        return [*align(model, vocabulary, [*texts.values()], cross)]

    def text(self, heard: Hypothesis, decoding: Decoding) -> Text:
        vocabulary = self.shelved.vocabulary
        tokens = [t for piece in heard.pieces for t in piece.tokens if t < vocabulary.eot]
        start = vocabulary.prompt(replace(decoding, prompt=None))
        return Text(start, tuple(tokens), round(heard.window.duration_s * 50))

    def tokenizer(self, decoding: Decoding) -> Any:
        vocabulary = self.shelved.vocabulary
        return get_tokenizer(
            vocabulary.multilingual,
            num_languages=vocabulary.languages,
            language=decoding.language,
            task=decoding.task,
        )


def ear(shelved: Shelved, windows: Sequence[Window]) -> Ear:
    mels = {window: log_mel([window], shelved.model.dims.n_mels)[0] for window in windows}
    features = {window: encode(shelved.model, mel[None])[0] for window, mel in mels.items()}
    return Ear(shelved, mels, features)


@dataclass(frozen=True)
class Heard:
    ear: Ear
    asked: list[tuple[Window, Decoding]]
    said: list[Hypothesis]


@pytest.fixture(scope="module", params=list(CASES))
def heard(
    request: pytest.FixtureRequest,
    shelved_base: Shelved,
    shelved_tiny: Shelved,
    windows: dict[str, Window],
) -> Heard:
    """What a model says in a few windows at once, with words."""
    shelved = shelved_base if request.param == "base" else shelved_tiny
    asked = [(windows[name], decoding) for name, decoding in CASES[request.param].items()]
    listening = ear(shelved, [window for window, _ in asked])
    return Heard(listening, asked, listening.hear(asked))


def test_tokens_are_placed_as_mlx_whisper_places_them_whatever_is_beside(heard: Heard) -> None:
    pairs = zip(heard.asked, heard.said, strict=True)
    texts = {window: heard.ear.text(said, decoding) for (window, decoding), said in pairs}
    found = heard.ear.align(texts)
    for (window, decoding), ours in zip(heard.asked, found, strict=True):
        text = texts[window]
        theirs = find_alignment(
            heard.ear.shelved.model,
            heard.ear.tokenizer(decoding),
            list(text.tokens),
            heard.ear.mels[window],
            2 * text.frames,
        )
        ends = [*accumulate((len(word.tokens) for word in theirs), initial=0)]
        assert [ours.starts_s[end] for end in ends] == pytest.approx(
            [*(word.start for word in theirs), theirs[-1].end]
        )
        assert [float(np.mean(ours.probabilities[a:b])) for a, b in pairwise(ends)] == (
            pytest.approx([word.probability for word in theirs], abs=1e-4)
        )


def test_words_are_those_of_mlx_whisper_less_the_lag_and_beside_pauses(
    heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = heard.ear.hear([(window, replace(each, words=False)) for window, each in heard.asked])
    for (window, decoding), said, bare in zip(heard.asked, heard.said, plain, strict=True):
        lag_s = LAGS_S[heads(heard.ear.shelved)]
        told = partial(aligned_without_lag, lag_s=lag_s, until_s=window.duration_s)
        monkeypatch.setattr("mlx_whisper.timing.find_alignment", told)
        segments = [segment(piece, window) for piece in bare.pieces]
        add_word_timestamps(
            segments=segments,
            model=heard.ear.shelved.model,
            tokenizer=heard.ear.tokenizer(decoding),
            mel=heard.ear.mels[window],
            num_frames=2 * round(window.duration_s * 50),
            last_speech_timestamp=0.0,
        )
        theirs = beside_pauses([worded(each, window) for each in segments], pauses_of(window))
        ours = [[timed(word, window) for word in piece.words] for piece in said.pieces]
        assert ours == [[timed(word, window) for word in piece.words] for piece in theirs]


def worded(segment: dict[str, Any], window: Window) -> Piece:
    """A segment of mlx_whisper's with its words, as we know them."""
    words = tuple(
        Word(word["word"], window.start_s + word["start"], window.start_s + word["end"])
        for word in segment["words"]
    )
    return Piece(segment["start"], segment["end"], "", (), words)


def pauses_of(window: Window) -> tuple[Interval, ...]:
    return find_pauses(window.audio.read(window.start_s, window.end_s), window.start_s)


def aligned_without_lag(*given: Any, lag_s: float, until_s: float, **named: Any) -> list[Any]:
    """What mlx_whisper finds, moved by how late its heads look, within the window."""
    found: list[Any] = find_alignment(*given, **named)
    for word in found:
        word.start, word.end = (
            min(max(time_s - lag_s, 0.0), until_s) for time_s in (word.start, word.end)
        )
    return found


def heads(shelved: Shelved) -> Any:
    """Pairs of layer and head, as they are known by."""
    listed: Any = shelved.model.alignment_heads.tolist()
    return tuple(map(tuple, listed))


def segment(piece: Piece, window: Window) -> dict[str, Any]:
    """As mlx_whisper knows it, in seconds from the window's start."""
    times = {"start": piece.start_s - window.start_s, "end": piece.end_s - window.start_s}
    return {"seek": 0, "tokens": list(piece.tokens), **times}


def timed(word: Word, window: Window) -> tuple[str, float, float]:
    """With times from the window's start."""
    assert word.start_s is not None
    assert word.end_s is not None
    start_s, end_s = word.start_s - window.start_s, word.end_s - window.start_s
    return word.text, round(start_s, 2), round(end_s, 2)


def test_words_join_to_their_piece_and_lie_within_the_window(heard: Heard) -> None:
    for said in heard.said:
        joined = ["".join(word.text for word in piece.words) for piece in said.pieces]
        assert joined == [piece.text for piece in said.pieces]
        words = [timed(word, said.window) for piece in said.pieces for word in piece.words]
        moments = [0.0, *(time for _, *both in words for time in both), said.window.duration_s]
        assert moments == sorted(moments)


@pytest.fixture(scope="module")
def tiny_ear(shelved_tiny: Shelved, windows: dict[str, Window]) -> Ear:
    return ear(shelved_tiny, [windows["jfk"], windows["austen"]])


def test_only_rows_that_ask_have_words(tiny_ear: Ear) -> None:
    jfk, austen = tiny_ear.features
    bare, worded = tiny_ear.hear([(jfk, Decoding("en")), (austen, ENGLISH)])
    assert {bool(piece.words) for piece in bare.pieces} == {False}
    assert {bool(piece.words) for piece in worded.pieces} == {True}


def test_where_nothing_was_said_nothing_is_placed(tiny_ear: Ear) -> None:
    window = Window(next(iter(tiny_ear.features)).audio, 1.0, 5.0)
    stamp = tiny_ear.shelved.vocabulary.stamp_first
    hollow = Piece(2.0, 3.0, "", (stamp + 50, stamp + 100))
    beyond = Piece(6.0, 7.0, " you", (stamp + 250, 345, stamp + 300))
    row = Row(window, ENGLISH)
    said = [
        (row, Hypothesis(window, pieces, 5.0, 0.0, -0.5, 0.5, 1.0))
        for pieces in [(), (hollow,), (beyond,)]
    ]
    model, vocabulary = tiny_ear.shelved.model, tiny_ear.shelved.vocabulary
    assert [*add_words(model, vocabulary, said, at=[0, 1, 2], cross=())] == said


@pytest.mark.parametrize(
    ("tokens", "frames"),
    [(1, 500), (1, 1), (60, 1), (60, 1500), (224, 1500)],
)
def test_any_text_can_be_placed_in_any_audio(tiny_ear: Ear, tokens: int, frames: int) -> None:
    window = next(iter(tiny_ear.features))
    said = tuple(100 + k % 50 for k in range(tokens))
    text = Text(tiny_ear.shelved.vocabulary.prompt(ENGLISH), said, frames)
    (found,) = tiny_ear.align({window: text})
    assert (len(found.starts_s), len(found.probabilities)) == (tokens + 1, tokens)
    assert [*found.starts_s] == sorted(found.starts_s)
    assert 0.0 <= found.starts_s[0] <= found.starts_s[-1] < frames / 50
    assert all(0.0 <= probability <= 1.0 for probability in found.probabilities)


@pytest.mark.parametrize(("model", "error_max_s"), [("base", 0.06), ("tiny.en", 0.05)])
def test_words_begin_about_when_they_are_spoken(
    shelved_base: Shelved, shelved_tiny: Shelved, tmp_path: Path, model: str, error_max_s: float
) -> None:
    shelved = shelved_base if model == "base" else shelved_tiny
    audio = sounds.recorded(sounds.AUSTEN, tmp_path)
    truth = json.loads((sounds.RECORDINGS / "austen-words.json").read_text())
    windows = [Window(audio, clip["start_s"], clip["end_s"]) for clip in truth]
    said = ear(shelved, windows).hear([(window, ENGLISH) for window in windows])
    words = [word for each in said for piece in each.pieces for word in piece.words]
    spoken = [word for clip in truth for word in clip["words"]]
    errors_s = [(ours.start_s or 0.0) - word[1] for ours, word in matched(words, spoken)]
    assert len(errors_s) >= 66  # of 71 words
    assert median(map(abs, errors_s)) <= error_max_s  # measured: 0.05, and 0.045 with tiny.en
    assert abs(median(errors_s)) <= 0.03  # neither early nor late


def matched(
    words: Sequence[Word], spoken: Sequence[tuple[str, float, float]]
) -> list[tuple[Word, tuple[str, float, float]]]:
    """The words that were heard right, each with the one that was spoken."""
    heard = [plain(word.text) for word in words]
    blocks = SequenceMatcher(None, heard, [word for word, _, _ in spoken], autojunk=False)
    return [
        (words[a + k], spoken[b + k])
        for a, b, count in blocks.get_matching_blocks()
        for k in range(count)
    ]


def plain(word: str) -> str:
    bare = word.lower().strip(string.punctuation + " ")
    return "mister" if bare == "mr" else bare
