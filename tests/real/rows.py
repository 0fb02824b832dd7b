"""Rows through a batch by hand: what each says, its last tokens included, whenever it joins."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import mlx.core as mx

from asr.pipeline.batch import Batch, Habits
from asr.pipeline.engine import Row, SoFar
from asr.pipeline.types import Decoding
from asr.pipeline.vocabulary import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr.pipeline.engine import ModelFolder
    from asr.pipeline.shelf import Shelved
    from asr.pipeline.types import Hypothesis, Window
    from asr.pipeline.whisper import WhisperEngine


ENGLISH = Decoding("en")


@dataclass(frozen=True)
class Ask:
    """A window by name, its features (1500, state), and how it is to be decoded."""

    name: str
    window: Window
    features: mx.array
    decoding: Decoding


@dataclass(frozen=True)
class Said:
    tokens: tuple[int, ...]
    hypothesis: Hypothesis


@dataclass(frozen=True)
class Scribe(Vocabulary):
    """A vocabulary that keeps what each row said: a hypothesis leaves out what is heard again."""

    said: dict[Row, tuple[int, ...]] = field(default_factory=dict)

    def hypothesis(self, row: Row, tokens: Sequence[int], **measures: Any) -> Hypothesis:
        self.said[row] = tuple(tokens)
        return super().hypothesis(row, tokens, **measures)


class Bench:
    """A batch on a model, where rows are known by name; ``context`` is the model's unless given."""

    slots_max = 8

    def __init__(self, shelved: Shelved, *, context: int | None = None, ahead: int = 0) -> None:
        words = shelved.vocabulary
        self._scribe = Scribe(
            words.tokenizer, words.multilingual, words.languages, context or words.context
        )
        self._batch = Batch(
            shelved.model, self._scribe, habits=Habits(ahead=ahead, linger=3 * ahead)
        )
        self._rows: dict[str, Row] = {}
        self.said: dict[str, Said] = {}

    def join(self, asks: Sequence[Ask], *, temperature: float = 0.0) -> None:
        rows = {ask.name: Row(ask.window, ask.decoding, temperature) for ask in asks}
        self._rows |= rows
        features = mx.stack([ask.features for ask in asks])
        self._batch.join(tuple(rows.values()), features, slots_max=self.slots_max)

    def advance(self, steps: int) -> None:
        names = {row: name for name, row in self._rows.items()}
        for _ in range(steps):
            for row, hypothesis in self._batch.advance().finished:
                self.said[names[row]] = Said(self._scribe.said[row], hypothesis)

    def growing(self, name: str) -> SoFar:
        return self._batch.growing([self._rows[name]])[0]

    def drop(self, name: str) -> None:
        self._batch.drop([self._rows[name]])

    def finish(self) -> dict[str, tuple[int, ...]]:
        """Advance to the end; the tokens of every row that got there."""
        while len(self._batch):
            self.advance(3)
        return {name: said.tokens for name, said in self.said.items()}


def heard(engine: WhisperEngine, model: ModelFolder, window: Window) -> Hypothesis:
    """What the engine makes of one window."""
    engine.admit(model, [Row(window, ENGLISH)])
    while not (answers := engine.advance().finished):
        pass
    return answers[0][1]


def plain(hypothesis: Hypothesis) -> str:
    text = "".join(piece.text for piece in hypothesis.pieces).lower()
    return "".join(letter for letter in text if letter.isalpha() or letter == " ")
