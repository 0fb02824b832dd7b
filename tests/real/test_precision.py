"""Half precision says what single precision says, or what that holds to be almost as probable.

Measured with tiny.en on seven sounds, 172 tokens and 7 ends: float16 chose as float32 each time,
and its log-probabilities were off by 0.009 at most; bfloat16 chose otherwise once, what float32
held to be less probable by 0.07 (the end of a text, of silence), and was off by 0.09 at most. The
bounds here are about twice that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import mlx.core as mx
import pytest

from asr.pipeline.engine import EngineSettings, ModelFolder, Row
from asr.pipeline.host import number
from asr.pipeline.types import Decoding
from asr.pipeline.whisper import WhisperEngine
from tests.real import oracle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr.pipeline.device import ComputeType
    from asr.pipeline.shelf import Shelved
    from asr.pipeline.types import Hypothesis, Window
    from tests.real.ears import Ears

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a CPU emulates half precision

ENGLISH = Decoding("en")
REGRET_MAX = {"float16": 0.02, "bfloat16": 0.15}
ERROR_MAX = {"float16": 0.02, "bfloat16": 0.2}


class Step(NamedTuple):
    """A token in half precision, and what single precision holds of it in its place."""

    token: int
    regret: float  # how far its log-probability is below that of the best token
    error: float  # how far its log-probability in half precision is from that


@pytest.mark.parametrize(
    ("compute_type", "sound"),
    [
        ("float16", "german"),  # which is not its language: nothing it says is sure
        ("bfloat16", "silence"),  # where it does choose otherwise
    ],
)
def test_half_precision_chooses_what_single_precision_holds_to_be_best_or_almost(
    tiny: ModelFolder,
    shelved_tiny: Shelved,
    windows: dict[str, Window],
    ears: Ears,
    compute_type: ComputeType,
    sound: str,
) -> None:
    said = say(WhisperEngine(EngineSettings(compute_type=compute_type)), tiny, windows[sound])
    assert said.heard_until_s == windows[sound].end_s  # or there were tokens that it does not tell
    features = ears.ask(shelved_tiny, sound, ENGLISH).features
    steps = judged(shelved_tiny, features, said)
    assert max(step.regret for step in steps) <= REGRET_MAX[compute_type]
    assert max(step.error for step in steps) <= ERROR_MAX[compute_type]
    # Until the first other choice, or to the end, it says what single precision says.
    alike = next((i for i, step in enumerate(steps) if step.regret > 0), len(steps))
    right = oracle.reference(shelved_tiny, features, ENGLISH)[0]
    ended = [*right.tokens, shelved_tiny.vocabulary.eot]
    assert [step.token for step in steps[:alike]] == ended[:alike]


def say(engine: WhisperEngine, model: ModelFolder, window: Window) -> Hypothesis:
    """What an engine makes of a window, cold."""
    engine.admit(model, [Row(window, ENGLISH)])
    while not (finished := engine.advance().finished):
        pass
    return finished[0][1]


def judged(shelved: Shelved, features: mx.array, said: Hypothesis) -> list[Step]:
    """Every token of a hypothesis, and the end of its text, as another precision judges them."""
    logprobs = [logprob for piece in said.pieces for logprob in piece.logprobs]
    logprobs.append(said.avg_logprob * (len(logprobs) + 1) - sum(logprobs))  # that of the end
    tokens = [token for piece in said.pieces for token in piece.tokens]
    tokens.append(shelved.vocabulary.eot)
    return [
        Step(token, number(right.max() - right[token]), abs(number(right[token]) - logprob))
        for token, logprob, right in zip(
            tokens, logprobs, allowed(shelved, features, tokens), strict=True
        )
    ]


def allowed(shelved: Shelved, features: mx.array, tokens: Sequence[int]) -> list[mx.array]:
    """For each of the tokens, the log-probabilities (V,) of all that might stand in its place."""
    prompt = shelved.vocabulary.prompt(ENGLISH)
    text = mx.array([[*prompt, *tokens]])
    logits = shelved.model.logits(text, features[None])
    filters = oracle.Filters(shelved, ENGLISH)
    places = range(len(prompt), text.shape[1])
    left = [filters.apply(logits[:, at - 1], text[:, :at])[0] for at in places]
    return [each - mx.logsumexp(each) for each in left]
