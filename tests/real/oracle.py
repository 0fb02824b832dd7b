"""mlx_whisper's own greedy decoding, as it comes and with its timestamp rules put right.

Its rules on timestamps depart from OpenAI's in two places: they compare indices where they mean
timestamps, so that time may run backwards; and they weigh timestamps against text before they rule
either out, so that whatever is left may be nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mlx.core as mx
import numpy as np
from mlx_whisper.decoding import ApplyTimestampRules, DecodingOptions, DecodingTask, decode

if TYPE_CHECKING:
    from mlx_whisper.decoding import DecodingResult
    from numpy.typing import NDArray

    from asr.pipeline.shelf import Shelved
    from asr.pipeline.types import Decoding

FIRST_STAMP_MAX = 50


def options(decoding: Decoding) -> DecodingOptions:
    return DecodingOptions(
        language=decoding.language,
        task=decoding.task,
        prompt=decoding.prompt,
        without_timestamps=not decoding.timestamps,
        fp16=False,
    )


class ReferenceRules(ApplyTimestampRules):  # type: ignore[misc]
    """OpenAI's ``ApplyTimestampRules`` (whisper/decoding.py), line by line, in numpy.

    ``chosen`` has, for each step, what each row would say by mlx_whisper's rules and by these.
    """

    def __init__(self, rules: ApplyTimestampRules) -> None:
        super().__init__(rules.tokenizer, rules.sample_begin, rules.max_initial_timestamp_index)
        self.chosen: list[list[tuple[int, int]]] = []

    def apply(self, logits: mx.array, tokens: mx.array) -> mx.array:
        stock = super().apply(logits, tokens)
        ours = np.array(logits)
        ours[:, self.tokenizer.no_timestamps] = -np.inf
        for row, said in zip(ours, np.array(tokens)[:, self.sample_begin :], strict=True):
            self._rule(row, said.tolist())
        corrected = mx.array(ours)
        choices = mx.stack([stock.argmax(axis=-1), corrected.argmax(axis=-1)], axis=1)
        self.chosen.append([(a, b) for a, b in choices.tolist()])  # type: ignore[misc, union-attr]
        return corrected

    def _rule(self, row: NDArray[np.float32], said: list[int]) -> None:
        first = self.tokenizer.timestamp_begin
        last = bool(said) and said[-1] >= first
        before = len(said) < 2 or said[-2] >= first
        if last and before:
            row[first:] = -np.inf
        elif last:
            row[: self.tokenizer.eot] = -np.inf
        if stamps := [token for token in said if token >= first]:
            row[first : stamps[-1] if last and not before else stamps[-1] + 1] = -np.inf
        if not said:
            row[:first] = -np.inf
            row[first + FIRST_STAMP_MAX + 1 :] = -np.inf
        if np.logaddexp.reduce(row[first:]) > row[:first].max():
            row[:first] = -np.inf


def stock(shelved: Shelved, features: mx.array, decoding: Decoding) -> DecodingResult:
    """What mlx_whisper says of features (1500, state)."""
    result: Any = decode(shelved.model, features, options(decoding))
    return result


def reference(
    shelved: Shelved, features: mx.array, decoding: Decoding
) -> tuple[DecodingResult, list[tuple[int, int]]]:
    """What it says with OpenAI's rules; and the choices by its own that those do not share."""
    if not decoding.timestamps:
        return stock(shelved, features, decoding), []
    filters = Filters(shelved, decoding)
    result = filters.task.run(features[None])[0]
    # The loop goes on for a step after the end of the text, which says nothing.
    chosen = [rows[0] for rows in filters.rules.chosen][: len(result.tokens) + 1]
    return result, [(theirs, right) for theirs, right in chosen if theirs != right]


class Filters:
    """A decoding task of mlx_whisper's whose rules on timestamps are the reference's."""

    def __init__(self, shelved: Shelved, decoding: Decoding) -> None:
        self.task: Any = DecodingTask(shelved.model, options(decoding))
        self.rules = ReferenceRules(self.task.logit_filters.pop())
        self.task.logit_filters.append(self.rules)

    def apply(self, logits: mx.array, tokens: mx.array) -> mx.array:
        """Logits (B, V) with -inf for what may not follow tokens (B, T)."""
        for each in self.task.logit_filters:
            logits = each.apply(logits, tokens)
        return logits
