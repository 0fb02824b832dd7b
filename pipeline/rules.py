"""Which token comes next: Whisper's rules on timestamps and suppressed tokens, for all rows.

The rules are those of OpenAI's reference (``whisper/decoding.py``: SuppressBlank, SuppressTokens
and ApplyTimestampRules, the last for rows with timestamps only), without a trip to the host. They
differ from mlx_whisper's in two places where that departs from the reference: timestamps never run
backwards, and text is never ruled out when every timestamp is. Text and timestamps are neighbours
in the vocabulary, so each is one slice.

What is sampled is a matter of chance, but always the same: it depends on the window and the
temperature, and not on when that is, or on which other rows there are.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import mlx.core as mx

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr.pipeline.engine import Row
    from asr.pipeline.vocabulary import Vocabulary

FIRST_STAMP_MAX = 50  # a window's first timestamp lies within its first second: 50 x 20 ms


class Stamps(NamedTuple):
    """What the rules remember of each row; every array is (B,)."""

    last: mx.array  # was the last token a timestamp?
    before: mx.array  # and the one before it? (yes, too, while there was none)
    latest: mx.array  # the latest timestamp token; one below the first while there was none
    length: mx.array  # of what was said, in tokens

    @classmethod
    def fresh(cls, vocabulary: Vocabulary, rows: int) -> Stamps:
        true = mx.ones(rows, mx.bool_)
        none = mx.full(rows, vocabulary.stamp_first - 1, mx.int32)
        return cls(true, true, none, mx.zeros(rows, mx.uint32))

    def put(self, at: mx.array, part: Stamps) -> Stamps:
        """The same with other rows in some places."""
        pairs = zip(self, part, strict=True)
        return Stamps(*(mx.put_along_axis(whole, at, new, axis=0) for whole, new in pairs))

    def followed(self, kept: mx.array, more: Stamps) -> Stamps:
        """Some of the rows, and others after them."""
        pairs = zip(self, more, strict=True)
        return Stamps(*(mx.concatenate([whole[kept], new]) for whole, new in pairs))

    def after(self, tokens: mx.array, vocabulary: Vocabulary) -> Stamps:
        """The state once ``tokens`` (B,) were said."""
        stamped = tokens >= vocabulary.stamp_first
        latest = mx.where(stamped, tokens, self.latest)
        return Stamps(stamped, self.last, latest, self.length + 1)


class Ways(NamedTuple):
    """How each row is decoded; every array is (B,)."""

    timed: mx.array  # does it say timestamps?
    temperatures: mx.array
    seeds: mx.array  # of what is sampled

    @classmethod
    def of(cls, rows: Sequence[Row | None]) -> Ways:
        """``None`` is a slot that is empty."""
        return cls(
            mx.array([row is None or row.decoding.timestamps for row in rows], mx.bool_),
            mx.array([0.0 if row is None else row.temperature for row in rows], mx.float32),
            mx.array([0 if row is None else _seed(row) for row in rows], mx.uint32),
        )


def _seed(row: Row) -> int:
    """A number of 32 bits for a look at a window."""
    window = row.window
    return zlib.crc32(struct.pack("<3d", window.start_s, window.end_s, row.temperature))


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules of one vocabulary: biases over its text part.

    ``suppressed`` holds everywhere; ``blank`` holds, too, where text begins a transcript.
    """

    vocabulary: Vocabulary
    suppressed: mx.array
    blank: mx.array

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Rules:
        bias = mx.zeros(vocabulary.stamp_first)
        bias[mx.array(vocabulary.suppressed)] = -mx.inf
        blank = mx.array(bias)
        blank[mx.array(vocabulary.blank)] = -mx.inf
        return cls(vocabulary, bias, blank)

    def choose_first(self, logits: mx.array, ways: Ways, *, sample: bool) -> Choice:
        """The first token of every row: with timestamps, one within the first second."""
        first, timed = self.vocabulary.stamp_first, ways.timed[:, None]
        logits = logits.astype(mx.float32)
        late = mx.arange(logits.shape[1] - first) > FIRST_STAMP_MAX
        stamps = mx.where(late & timed, -mx.inf, logits[:, first:])
        text = mx.where(timed, -mx.inf, logits[:, :first] + self.blank)
        return _choose(text, stamps, ways, mx.zeros_like(ways.seeds), sample=sample)

    def choose(self, logits: mx.array, said: Stamps, ways: Ways, *, sample: bool) -> Choice:
        """The next token of every row. Logits (B, V)."""
        first, eot = self.vocabulary.stamp_first, self.vocabulary.eot
        logits, timed = logits.astype(mx.float32), ways.timed
        text = logits[:, :first] + self.suppressed
        lone = (said.last & ~said.before & timed)[:, None]  # only its partner or the end may follow
        text = mx.where(lone & (mx.arange(first) < eot), -mx.inf, text)
        paired = (said.last & said.before)[:, None]  # text has to follow
        earliest = mx.where(said.last & ~said.before, said.latest, said.latest + 1)[:, None]
        ids = mx.arange(first, logits.shape[1])
        barred = (paired | (ids < earliest)) & timed[:, None]
        stamps = mx.where(barred, -mx.inf, logits[:, first:])
        return _choose(text, stamps, ways, said.length, sample=sample)


class Choice(NamedTuple):
    """The tokens chosen, and their log-probabilities among what was allowed; both (B,)."""

    tokens: mx.array
    logprobs: mx.array


def _choose(
    text: mx.array, stamps: mx.array, ways: Ways, length: mx.array, *, sample: bool
) -> Choice:
    """A timestamp where all of them together are more probable than any text token.

    ``length`` (B,) has how many tokens were said before.
    """
    dominated = (mx.logsumexp(stamps, axis=-1) > text.max(axis=-1)) & ways.timed
    allowed = mx.concatenate([mx.where(dominated[:, None], -mx.inf, text), stamps], axis=-1)
    tokens = mx.argmax(allowed, axis=-1)
    if sample:
        warm = mx.maximum(ways.temperatures, 1e-3)[:, None]
        sampled = _sample(allowed / warm, mx.stack([ways.seeds, length], axis=1))
        tokens = mx.where(ways.temperatures > 0, sampled, tokens)
    chosen = mx.take_along_axis(allowed, tokens[:, None], axis=-1)[:, 0]
    return Choice(tokens.astype(mx.int32), chosen - mx.logsumexp(allowed, axis=-1))


def _sample(logits: mx.array, keys: mx.array) -> mx.array:
    """A token of each row, (B,), drawn with a key (B, 2) of its own."""
    draw = mx.vmap(lambda row, key: mx.random.categorical(row, key=key))
    drawn: mx.array = draw(logits, keys)
    return drawn
