"""How fast text comes. Pure: numbers only."""

from collections import deque
from dataclasses import dataclass

OVER_S = 5.0
SLICE_S = 0.1  # a turn may take a millisecond: they are kept together in slices of this length


@dataclass(slots=True)
class Slice:
    took_s: float = 0.0
    tokens: int = 0


class Meter:
    """Tokens a second, over the last seconds in which the engine was at work."""

    def __init__(self) -> None:
        self._slices: deque[Slice] = deque([Slice()])
        self._took_s = 0.0
        self._tokens = 0

    def said(self, tokens: int) -> None:
        """That much came of the work last noted."""
        self._slices[-1].tokens += tokens
        self._tokens += tokens

    def worked(self, took_s: float) -> None:
        """The engine was at work for so long."""
        if self._slices[-1].took_s >= SLICE_S:
            self._slices.append(Slice())
        self._slices[-1].took_s += took_s
        self._took_s += took_s
        while self._took_s - self._slices[0].took_s >= OVER_S:
            oldest = self._slices.popleft()
            self._took_s -= oldest.took_s
            self._tokens -= oldest.tokens

    @property
    def tokens_per_s(self) -> float:
        return self._tokens / self._took_s if self._took_s else 0.0
