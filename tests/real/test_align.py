"""The aligner beside ``whispermlx.align``, and its networks beside themselves one by one."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from asr.pipeline.align.aligner import Alignment
from asr.pipeline.align.networks import LanguageNetworks, Loaded
from asr.pipeline.align.paths import Emission, find_path
from asr.pipeline.align.wording import Alphabet
from asr.pipeline.audio import SAMPLE_RATE, Audio, open_samples
from asr.pipeline.speakers import Align
from asr.pipeline.types import Segment, Word

pytestmark = pytest.mark.real

LATIN = {label: k for k, label in enumerate("-|etaoinhsrdlumwcfgypbvk'xjqzäöüß")}
KANA = {"[pad]": 3, "あ": 0, "い": 1, "う": 2, "東": 4, "京": 5, "、": 6, "|": 7}
HANZI = {"<pad>": 0, "你": 1, "好": 2, "我": 3, "们": 4, "。": 5}

SAID = [
    ("en", LATIN, [" Hello, world. And so on", " my fellow Americans", " a", " It's 7.30 p.m."]),
    ("en", LATIN, [" in the U.S. of A.", " 42", " costs $3.50 & more - or |less|", "two  spaces "]),
    ("en", LATIN, [" no\nline\tends\u00a0here ", " ", "", " ...", " Привет мир, said he", " 你好"]),
    ("de", LATIN, [" Grüße aus Köln, schöne Straße", " Äpfel, Öl und Übermut", " 1848 war's"]),
    ("ja", KANA, ["あいう東京、あい", " 東 京 ", "カタカナ", "あ3い"]),
    ("zh", HANZI, ["你好。我们", "我们 2026 年好", "abc"]),
]


def spool(folder: Path, seconds: float) -> Audio:
    samples = np.random.default_rng(0).normal(0, 3000, int(seconds * SAMPLE_RATE))
    path = folder / "samples.pcm"
    samples.astype("<i2").tofile(path)
    return open_samples(path)


def segment(start_s: float, end_s: float, text: str, words: tuple[Word, ...] = ()) -> Segment:
    return Segment(start_s, end_s, text, (), 0.0, 0.0, -0.1, 0.0, 1.0, words)


def scores(samples: int, labels: int) -> Any:
    """What the networks of these tests answer to so many samples: (frames, labels)."""
    import torch

    generator = torch.Generator().manual_seed(samples)
    return 3 * torch.randn(samples // 320, labels, generator=generator)


class Given:
    """A network that answers the same to the same length."""

    def __init__(self, labels: int) -> None:
        self._labels = labels

    def convolve(self, waveform: Any) -> Any:
        return scores(waveform.shape[1], self._labels)

    def attend(self, features: Any, lengths: Any | None) -> Any:
        return features


def align(network: Any, alphabet: Alphabet, question: Align) -> list[Segment]:
    names = {question.language: "given"}
    task = Alignment(LanguageNetworks(names, lambda _: Loaded(network, alphabet)), question, "cpu")
    assert task.advance() == ()
    aligned: list[Segment] = []
    while not task.done:
        aligned.extend(task.advance())
    return aligned


def theirs(
    monkeypatch: pytest.MonkeyPatch, question: Align, labels: dict[str, int]
) -> list[dict[str, Any]]:
    """The words of ``whispermlx.align`` on the same scores, with one sentence a segment."""
    from whispermlx import alignment

    whole: Any = SimpleNamespace(span_tokenize=lambda text: [(0, len(text))])
    monkeypatch.setattr(alignment, "nltk_load", lambda _: whole)
    model: Any = lambda waveform, lengths: (  # noqa: E731
        scores(waveform.shape[1], len(labels))[None],
        lengths,
    )
    audio = question.audio
    found = alignment.align(
        [{"start": s.start_s, "end": s.end_s, "text": s.text} for s in question.segments],
        model,
        {"language": question.language, "dictionary": labels, "type": "torchaudio"},
        audio.read(0, audio.duration_s),
        "cpu",
    )
    return [dict(word) for word in found["word_segments"]]


def as_theirs(word: Word) -> dict[str, Any]:
    told = {"word": word.text.strip(), "start": word.start_s, "end": word.end_s}
    return told if word.score is None else {**told, "score": word.score}


@pytest.mark.parametrize(("language", "labels", "texts"), SAID)
def test_words_times_and_scores_are_those_of_whispermlx(
    language: str,
    labels: dict[str, int],
    texts: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    segments, start_s = [], 0.1
    for text in texts:
        end_s = round(start_s + 0.5 + 0.11 * len(text), 3)
        segments.append(segment(start_s, end_s, text))
        start_s = round(end_s + 0.137, 3)
    question = Align(spool(tmp_path, start_s), tuple(segments), language)
    aligned = align(Given(len(labels)), Alphabet.of(labels.items()), question)
    assert len(aligned) == len(segments)
    for one in aligned:
        assert "".join(word.text for word in one.words) == one.text or not one.text.strip()
        times = [time for word in one.words for time in (word.start_s, word.end_s)]
        assert all(time is not None and one.start_s <= time <= one.end_s for time in times)
        starts = [word.start_s or 0.0 for word in one.words]
        assert starts == sorted(starts)
    words = [as_theirs(word) for one in aligned for word in one.words]
    assert words == theirs(monkeypatch, question, labels)
    assert words


def test_a_segment_that_cannot_be_aligned_keeps_its_words(tmp_path: Path) -> None:
    known = (Word(" far too many", 0.0, 0.1, 0.5), Word(" words", 0.1, 0.2, 0.5))
    segments = (
        segment(0.0, 0.2, " far too many words", known),
        segment(0.2, 0.4, " far too many words"),
        segment(0.5, 0.501, " a", (Word(" a", 0.5, 0.501, 0.9),)),
        segment(7.0, 9.0, " past the end"),
        segment(1.0, 2.0, " well"),
    )
    question = Align(spool(tmp_path, 3), segments, "en")
    aligned = align(Given(len(LATIN)), Alphabet.of(LATIN.items()), question)
    unplaced = (Word(" far"), Word(" too"), Word(" many"), Word(" words"))
    ends = (Word(" past"), Word(" the"), Word(" end"))
    assert [one.words for one in aligned[:4]] == [known, unplaced, segments[2].words, ends]
    (well,) = aligned[4].words
    assert well.start_s is not None


def test_a_step_is_five_seconds_at_most_or_a_segment_and_no_question_is_one_step(
    tmp_path: Path,
) -> None:
    audio = spool(tmp_path, 150)
    lengths_s = (2, 2, 2, 2, 25, 2)
    segments = tuple(segment(20.0 * k, 20.0 * k + s, " hello") for k, s in enumerate(lengths_s))
    network = Loaded(Given(len(LATIN)), Alphabet.of(LATIN.items()))
    networks = LanguageNetworks({"en": "given"}, lambda _: network)
    task = Alignment(networks, Align(audio, segments, "en"), "cpu")
    answers = []
    while not task.done:
        answers.append([one.start_s for one in task.advance()])
    assert answers == [[], [0.0, 20.0], [40.0, 60.0], [80.0], [100.0]]
    assert task.advance() == ()
    asked = Alignment(networks, Align(audio, (), "en"), "cpu")
    assert (asked.done, asked.advance(), asked.done) == (False, (), True)


def reference(logs: Any, tokens: list[int], blank: int) -> list[tuple[int, int, float]] | None:
    from whispermlx.alignment import backtrack, get_trellis, merge_repeats

    path = backtrack(get_trellis(logs, tokens, blank), logs, tokens, blank)
    if path is None:
        return None
    merged = merge_repeats(path, "x" * len(tokens))
    return [(one.start, one.end, one.score) for one in merged]


HARD: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "likely": lambda logs, _: logs,
    "ties": lambda logs, _: logs.round(),
    "all the same": lambda logs, _: logs * 0 - 1,
    "some impossible": lambda logs, random: logs.masked_fill(
        logs.new_tensor(random.random(logs.shape)) < 0.3, -np.inf
    ),
}


@pytest.mark.parametrize("kind", HARD)
def test_paths_are_those_of_whispermlx_bit_by_bit(kind: str) -> None:
    import torch

    random = np.random.default_rng(len(kind))
    answers = []
    for _ in range(400):
        frames, labels = random.integers(1, 40), random.integers(2, 8)
        tokens = random.integers(0, labels, random.integers(1, frames + 6)).tolist()
        drawn = random.normal(0, random.choice([0.1, 1, 5, 50]), (frames, labels))
        logs = HARD[kind](torch.from_numpy(drawn).log_softmax(-1).float(), random)
        blank = int(random.integers(labels))
        ours = find_path(Emission(logs.numpy(), logs.exp().numpy()), tokens, blank)
        expected = reference(logs, tokens, blank)
        assert (ours and [tuple(one) for one in ours]) == expected
        answers.append(expected)
    assert None in answers
    assert any(answers)
