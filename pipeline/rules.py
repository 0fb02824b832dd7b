"""Which token comes next: Whisper's rules on timestamps and suppressed tokens, for all rows.

The rules are those of OpenAI's reference (``whisper/decoding.py``: SuppressTokens and
ApplyTimestampRules; SuppressBlank is void where a window begins with a timestamp), without a trip
to the host. They differ from mlx_whisper's in two places where that departs from the reference:
timestamps never run backwards, and text is never ruled out when every timestamp is. Text and
timestamps are neighbours in the vocabulary, so each is one slice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import mlx.core as mx

if TYPE_CHECKING:
    from asr.pipeline.vocabulary import Vocabulary

FIRST_STAMP_MAX = 50  # a window's first timestamp lies within its first second: 50 x 20 ms


class Stamps(NamedTuple):
    """What the rules remember of each row; every array is (B,)."""

    last: mx.array  # was the last token a timestamp?
    before: mx.array  # and the one before it? (yes, too, while there was none)
    latest: mx.array  # the latest timestamp token; one below the first while there was none

    @classmethod
    def fresh(cls, vocabulary: Vocabulary, rows: int) -> Stamps:
        true = mx.ones(rows, mx.bool_)
        return cls(true, true, mx.full(rows, vocabulary.stamp_first - 1, mx.int32))

    def after(self, tokens: mx.array, vocabulary: Vocabulary) -> Stamps:
        """The state once ``tokens`` (B,) were said."""
        stamped = tokens >= vocabulary.stamp_first
        return Stamps(stamped, self.last, mx.where(stamped, tokens, self.latest))


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one vocabulary. ``suppressed`` is a bias over its text part."""

    vocabulary: Vocabulary
    suppressed: mx.array

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Rules:
        bias = mx.zeros(vocabulary.stamp_first)
        bias[mx.array(vocabulary.suppressed)] = -mx.inf
        return cls(vocabulary, bias)

    def choose_first(self, logits: mx.array, temperatures: mx.array, *, sample: bool) -> Choice:
        """The first token of every row: a timestamp within the first second. Logits (B, V)."""
        stamps = logits[:, self.vocabulary.stamp_first :].astype(mx.float32)
        late = mx.arange(stamps.shape[1]) > FIRST_STAMP_MAX
        stamps = mx.where(late, -mx.inf, stamps)
        text = mx.full((logits.shape[0], self.vocabulary.stamp_first), -mx.inf)
        return _choose(text, stamps, temperatures, sample=sample)

    def choose(
        self, logits: mx.array, said: Stamps, temperatures: mx.array, *, sample: bool
    ) -> Choice:
        """The next token of every row. Logits (B, V), temperatures (B,)."""
        first, eot = self.vocabulary.stamp_first, self.vocabulary.eot
        logits = logits.astype(mx.float32)
        text = logits[:, :first] + self.suppressed
        lone = (said.last & ~said.before)[:, None]  # only its partner or the end may follow
        text = mx.where(lone & (mx.arange(first) < eot), -mx.inf, text)
        paired = (said.last & said.before)[:, None]  # text has to follow
        earliest = mx.where(said.last & ~said.before, said.latest, said.latest + 1)[:, None]
        ids = mx.arange(first, logits.shape[1])
        stamps = mx.where(paired | (ids < earliest), -mx.inf, logits[:, first:])
        return _choose(text, stamps, temperatures, sample=sample)


class Choice(NamedTuple):
    """The tokens chosen, and their log-probabilities among what was allowed; both (B,)."""

    tokens: mx.array
    logprobs: mx.array


def _choose(text: mx.array, stamps: mx.array, temperatures: mx.array, *, sample: bool) -> Choice:
    """A timestamp where all of them together are more probable than any text token."""
    dominated = mx.logsumexp(stamps, axis=-1) > text.max(axis=-1)
    allowed = mx.concatenate([mx.where(dominated[:, None], -mx.inf, text), stamps], axis=-1)
    tokens = mx.argmax(allowed, axis=-1)
    if sample:
        warm = mx.maximum(temperatures, 1e-3)[:, None]
        sampled = mx.random.categorical(allowed / warm, axis=-1)
        tokens = mx.where(temperatures > 0, sampled, tokens)
    chosen = mx.take_along_axis(allowed, tokens[:, None], axis=-1)[:, 0]
    return Choice(tokens.astype(mx.int32), chosen - mx.logsumexp(allowed, axis=-1))
