"""Greedy decoding says, token for token, what mlx_whisper's own ``decode`` says of a window.

Where the rules of mlx_whisper are not those of OpenAI's reference, it says what the latter say.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
import pytest

from asr.pipeline.rules import Rules, Stamps, Ways
from asr.pipeline.types import Decoding
from tests.real import oracle
from tests.real.rows import Ask, Bench

if TYPE_CHECKING:
    from asr.pipeline.shelf import Shelved
    from asr.pipeline.vocabulary import Vocabulary
    from tests.real.ears import Ears

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time

ENGLISH = Decoding("en")
UNTIMED = Decoding("en", timestamps=False)
PROMPTED = Decoding("en", prompt="Mrs. Dashwood; Norland Park, in Sussex. MR. JOHN DASHWOOD")
CASES = {
    "base": {
        "german": Decoding("de"),
        "german into English": Decoding("de", "translate"),
        "jfk": ENGLISH,
        "jfk untimed": UNTIMED,
        "austen": PROMPTED,
        "silence": ENGLISH,
    },
    "tiny.en": {
        **dict.fromkeys(("jfk", "austen", "dashwood", "noise", "silence", "chords"), ENGLISH),
        "jfk prompted": PROMPTED,
        "dashwood untimed": UNTIMED,
        "noise untimed": UNTIMED,
    },
}
NO_SPEECH = {"noise", "silence", "chords"}
COLD = Ways(mx.ones(32, mx.bool_), mx.zeros(32), mx.zeros(32, mx.uint32))


@dataclass(frozen=True)
class Case:
    """A window and how it is decoded; what is right; where mlx_whisper's rules are not."""

    ask: Ask
    right: Any
    departures: list[tuple[int, int]]

    @property
    def name(self) -> str:
        return self.ask.name


@dataclass(frozen=True)
class Cases:
    """A model, and what it is known to say."""

    shelved: Shelved
    all: tuple[Case, ...]

    def some(self, size: int) -> list[list[Case]]:
        """All of them, shuffled, in groups of a size."""
        order = random.Random(size).sample(self.all, len(self.all))
        return [order[i : i + size] for i in range(0, len(order), size)]


@pytest.fixture(scope="module", params=list(CASES))
def cases(
    request: pytest.FixtureRequest, shelved_base: Shelved, shelved_tiny: Shelved, ears: Ears
) -> Cases:
    shelved = shelved_base if request.param == "base" else shelved_tiny
    found = []
    for name, decoding in CASES[request.param].items():
        ask = ears.ask(shelved, name.split()[0], decoding, name=name)
        found.append(Case(ask, *oracle.reference(shelved, ask.features, decoding)))
    return Cases(shelved, tuple(found))


@pytest.mark.parametrize(("size", "steps", "ahead"), [(1, 30, 0), (1, 9, 1), (3, 7, 0), (8, 1, 1)])
def test_a_row_says_the_references_tokens_whoever_is_beside_it_and_whenever_it_joins(
    cases: Cases, size: int, steps: int, ahead: int
) -> None:
    bench = Bench(cases.shelved, ahead=ahead)
    for group in cases.some(size):
        bench.join([case.ask for case in group])
        bench.advance(steps)
    assert bench.finish() == {case.name: tuple(case.right.tokens) for case in cases.all}
    for case in cases.all:
        heard = bench.said[case.name].hypothesis
        assert heard.avg_logprob == pytest.approx(case.right.avg_logprob, abs=1e-3)
        assert heard.no_speech_prob == pytest.approx(case.right.no_speech_prob, abs=1e-4)
        assert heard.compression_ratio == pytest.approx(case.right.compression_ratio)
        for piece in heard.pieces:
            assert len(piece.logprobs) == len(piece.tokens)


def test_of_speech_mlx_whisper_itself_says_the_same(cases: Cases) -> None:
    speech = [case for case in cases.all if case.name.split()[0] not in NO_SPEECH]
    assert {case.name: case.departures for case in speech if case.departures} == {}
    jfk = next(case for case in speech if case.name == "jfk")
    theirs = oracle.stock(cases.shelved, jfk.ask.features, jfk.ask.decoding)
    assert theirs.tokens == jfk.right.tokens


def test_for_any_logits_and_any_past_the_rules_choose_what_the_references_choose(
    shelved_tiny: Shelved,
) -> None:
    rows = COLD.timed.shape[0]
    vocabulary = shelved_tiny.vocabulary
    ours, theirs = Rules.of(vocabulary), oracle.Filters(shelved_tiny, ENGLISH)
    said, stamps = mx.full((rows, 1), vocabulary.tokenizer.sot), Stamps.fresh(vocabulary, rows)
    for step in range(30):
        logits = any_logits(rows, vocabulary, seed=step)
        right = theirs.apply(logits, said)
        if step:
            choice = ours.choose(logits, stamps, COLD, sample=False)
        else:
            choice = ours.choose_first(logits, COLD, sample=False)
        assert choice.tokens.tolist() == right.argmax(axis=-1).tolist()
        logprobs = right.max(axis=-1) - mx.logsumexp(right, axis=-1)
        assert mx.allclose(choice.logprobs, logprobs, atol=1e-4).item()
        stamps = stamps.after(choice.tokens, vocabulary)
        said = mx.concatenate([said, choice.tokens[:, None]], axis=1)
    departures = [pair for step in theirs.rules.chosen for pair in step if pair[0] != pair[1]]
    assert len(departures) > 50  # or these logits would not reach where the rules differ


def any_logits(rows: int, vocabulary: Vocabulary, *, seed: int) -> mx.array:
    """Random logits (rows, V) in which text, timestamps and the end all have their chances."""
    random = np.random.default_rng(seed)
    logits = random.normal(0.0, 4.0, (rows, vocabulary.stamp_first + 1501)).astype(np.float32)
    logits[:, vocabulary.stamp_first :] += random.uniform(-4.0, 6.0, (rows, 1))
    logits[:, vocabulary.eot] += random.uniform(0.0, 15.0, rows)
    return mx.array(logits)
