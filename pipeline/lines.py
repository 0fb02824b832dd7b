"""What the host knows of the rows in a batch: what each said, and what is on its way to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from asr.pipeline.host import floats, ints

if TYPE_CHECKING:
    import mlx.core as mx

    from asr.pipeline.engine import Row
    from asr.pipeline.rules import Choice


@dataclass(slots=True, eq=False)
class Line:
    """What the host knows of a row: the tokens it said, and when it has to stop.

    ``start`` is its first column. ``logprobs`` are those of the tokens and of the end of the text.
    """

    row: Row
    start: int
    tokens_max: int
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)
    no_speech_prob: float = 0.0
    ended: bool = False

    def hear(self, token: int, logprob: float, *, eot: int) -> bool:
        """Take in the next token, unless the end has come already: then it is no news."""
        if self.ended:
            return False
        self.logprobs.append(logprob)
        if token != eot:
            self.tokens.append(token)
        self.ended = token == eot or len(self.tokens) >= self.tokens_max
        return True


class Unread(NamedTuple):
    """Tokens on their way to the host: those of ``lines`` stand at their places in the arrays."""

    lines: tuple[tuple[int, Line], ...]
    choice: Choice
    no_speech: mx.array | None = None  # with first tokens

    def read(self, *, eot: int) -> int:
        """Wait for the tokens and hand them to their lines; how many were news."""
        tokens, logprobs = ints(self.choice.tokens), floats(self.choice.logprobs)
        if self.no_speech is not None:
            for (_, line), silence in zip(self.lines, floats(self.no_speech), strict=True):
                line.no_speech_prob = silence
        return sum(line.hear(tokens[at], logprobs[at], eot=eot) for at, line in self.lines)
