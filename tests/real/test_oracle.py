"""Greedy decoding says, token for token, what mlx_whisper's own ``decode`` says of a window."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import pytest

from asr.pipeline.batch import Batch
from asr.pipeline.engine import Row
from asr.pipeline.network import encode
from asr.pipeline.types import Decoding, Hypothesis
from asr.pipeline.vocabulary import Vocabulary
from asr.pipeline.whisper import log_mel
from tests.real import oracle

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asr.pipeline.shelf import Shelved
    from asr.pipeline.types import Window

pytestmark = pytest.mark.real

ENGLISH = Decoding("en")
PROMPTED = Decoding("en", prompt="Mrs. Dashwood; Norland Park, in Sussex. MR. JOHN DASHWOOD")
CASES = {
    "base": {
        "german": Decoding("de"),
        "german into English": Decoding("de", "translate"),
        "jfk": ENGLISH,
        "austen": PROMPTED,
        "noise": ENGLISH,
        "silence": ENGLISH,
    },
    "tiny.en": {
        **dict.fromkeys(("jfk", "austen", "dashwood", "noise", "silence", "chords"), ENGLISH),
        "jfk prompted": PROMPTED,
    },
}
NO_SPEECH = {"noise", "silence", "chords"}


@dataclass(frozen=True)
class Scribe(Vocabulary):
    """A vocabulary that keeps what each row said, the tokens past its last timestamp included."""

    said: dict[Row, tuple[int, ...]] = field(default_factory=dict)

    def hypothesis(self, row: Row, tokens: Sequence[int], **measures: Any) -> Hypothesis:
        self.said[row] = tuple(tokens)
        return super().hypothesis(row, tokens, **measures)


@dataclass(frozen=True)
class Case:
    """A window and how it is decoded; what is right; where mlx_whisper's rules are not."""

    name: str
    window: Window
    decoding: Decoding
    features: mx.array
    right: Any
    departures: list[tuple[int, int]]


@dataclass(frozen=True)
class Said:
    tokens: tuple[int, ...]
    hypothesis: Hypothesis


@dataclass(frozen=True)
class Bench:
    """A model and its cases."""

    shelved: Shelved
    cases: tuple[Case, ...]

    def decode(
        self, groups: Sequence[Sequence[Case]], *, steps: int, temperature: float = 0.0
    ) -> dict[str, Said]:
        """What every case says when its group joins ``steps`` steps after the one before."""
        vocabulary = self.shelved.vocabulary
        scribe = Scribe(
            vocabulary.tokenizer, vocabulary.multilingual, vocabulary.languages, vocabulary.context
        )
        batch = Batch(self.shelved.model, scribe)
        names: dict[Row, str] = {}
        answers: list[tuple[Row, Hypothesis]] = []
        for group in groups:
            rows = [Row(case.window, case.decoding, temperature) for case in group]
            names |= {row: case.name for row, case in zip(rows, group, strict=True)}
            batch.join(rows, mx.stack([case.features for case in group]))
            answers += batch.advance(steps)
        while len(batch):
            answers += batch.advance(3)
        return {names[row]: Said(scribe.said[row], hypothesis) for row, hypothesis in answers}


def cases(
    shelved: Shelved, windows: dict[str, Window], asked: dict[str, Decoding]
) -> Iterator[Case]:
    features: dict[str, mx.array] = {}
    for name, decoding in asked.items():
        sound = name.split()[0]
        if sound not in features:
            mel = log_mel(windows[sound], shelved.model.dims.n_mels)
            features[sound] = encode(shelved.model, mel[None])[0]
        right, departures = oracle.reference(shelved, features[sound], decoding)
        yield Case(name, windows[sound], decoding, features[sound], right, departures)


@pytest.fixture(scope="module", params=list(CASES))
def bench(
    request: pytest.FixtureRequest,
    shelved_base: Shelved,
    shelved_tiny: Shelved,
    windows: dict[str, Window],
) -> Bench:
    shelved = shelved_base if request.param == "base" else shelved_tiny
    return Bench(shelved, tuple(cases(shelved, windows, CASES[request.param])))


def shuffled(cases: Sequence[Case], *, seed: int) -> list[Case]:
    return random.Random(seed).sample(cases, len(cases))


@pytest.mark.parametrize(("size", "steps"), [(1, 30), (3, 7), (8, 1)])
def test_a_row_says_the_references_tokens_whoever_is_beside_it_and_whenever_it_joins(
    bench: Bench, size: int, steps: int
) -> None:
    order = shuffled(bench.cases, seed=size)
    groups = [order[i : i + size] for i in range(0, len(order), size)]
    said = bench.decode(groups, steps=steps)
    assert {name: answer.tokens for name, answer in said.items()} == {
        case.name: tuple(case.right.tokens) for case in bench.cases
    }
    for case in bench.cases:
        heard = said[case.name].hypothesis
        assert heard.avg_logprob == pytest.approx(case.right.avg_logprob, abs=1e-3)
        assert heard.no_speech_prob == pytest.approx(case.right.no_speech_prob, abs=1e-4)
        assert heard.compression_ratio == pytest.approx(case.right.compression_ratio)


def test_of_speech_mlx_whisper_itself_says_the_same(bench: Bench) -> None:
    speech = [case for case in bench.cases if case.name not in NO_SPEECH]
    assert {case.name: case.departures for case in speech if case.departures} == {}
    jfk = next(case for case in speech if case.name == "jfk")
    theirs = oracle.stock(bench.shelved, jfk.features, jfk.decoding)
    assert theirs.tokens == jfk.right.tokens
