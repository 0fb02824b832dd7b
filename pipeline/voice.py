"""Scores of voice activity to spans of speech, each known as soon as it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr.pipeline.types import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ONSET = 0.500  # whispermlx's thresholds: speech starts above this score
OFFSET = 0.363  # and ends below this one
LONGEST_S = 30.0  # what the model sees at once; longer speech is cut where its score is lowest


class Voice:
    """Speech that is going on, or silence; the spans are those of whispermlx's ``Binarize``.

    That class wants all scores at once. This one keeps those of the speech that has not ended,
    30 s of them at most, so that an audio of any length is searched in the same memory.
    """

    def __init__(self, *, longest_s: float = LONGEST_S) -> None:
        self._longest_s = longest_s
        self._active = False
        self._start_s = self._heard_s = 0.0
        self._frames: list[tuple[float, float]] = []  # (score, time) since speech or silence began

    def hear(self, frames: Iterable[tuple[float, float]]) -> Iterator[Span]:
        """Take in (score, time) of each frame, in order; the spans that have ended with them."""
        for score, time_s in frames:
            if not self._frames:
                self._begin(score, time_s)
            elif not self._active:
                if score > ONSET:
                    self._active, self._start_s = True, time_s
            elif time_s - self._start_s > self._longest_s:
                yield Span(self._start_s, self._cut())
                self._frames.append((score, time_s))
            elif score < OFFSET:
                yield Span(self._start_s, time_s)
                self._active, self._frames = False, [(score, time_s)]
            else:
                self._frames.append((score, time_s))
            self._heard_s = time_s

    def end(self) -> Iterator[Span]:
        """The span that goes on to the end, if one does."""
        if self._active and self._heard_s > self._start_s:
            yield Span(self._start_s, self._heard_s)

    def _begin(self, score: float, time_s: float) -> None:
        self._active, self._start_s = score > ONSET, time_s
        self._frames = [(score, time_s)]

    def _cut(self) -> float:
        """End what has become too long where its second half is quietest, and go on from there."""
        half = len(self._frames) // 2
        quietest = min(range(half, len(self._frames)), key=lambda i: self._frames[i][0])
        self._start_s = self._frames[quietest][1]
        self._frames = self._frames[quietest + 1 :]
        return self._start_s
