"""Pauses: where nothing is heard in a window. Nobody pauses within a word, so no word spans one.

Attention finds words one after the other, and has to give the silence between them to one of them;
often it also gives a word the end of the one before the pause, or the beginning of the next.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from asr.pipeline.types import Piece

FRAME = SAMPLE_RATE // 100
FRAME_S = FRAME / SAMPLE_RATE

# A pause is this much quieter than the loud parts of a window, for this long: longer than most
# stops are closed. Measured with ``bench.words``: 25 and 35 dB are as good, 0.15 s is a little
# worse. In louder noise there are no pauses, and words stay as they are.
BELOW_LOUD_DB = 30.0
SHORTEST_S = 0.1
LOUD_PERCENTILE = 95


class Interval(NamedTuple):
    """From one second of the audio to another."""

    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def find_pauses(samples: NDArray[np.float32], start_s: float) -> tuple[Interval, ...]:
    """The pauses in samples of which the first is at ``start_s``, in order, exact to 10 ms."""
    frames = samples[: len(samples) // FRAME * FRAME].reshape(-1, FRAME)
    if not len(frames):
        return ()
    levels_db = 10 * np.log10(np.square(frames).mean(axis=1, dtype=np.float64) + 1e-12)
    quiet = levels_db < np.percentile(levels_db, LOUD_PERCENTILE) - BELOW_LOUD_DB
    changes = np.flatnonzero(np.diff(quiet, prepend=False, append=False)).reshape(-1, 2)
    spans = (Interval(start_s + a * FRAME_S, start_s + b * FRAME_S) for a, b in changes.tolist())
    return tuple(span for span in spans if span.length_s > SHORTEST_S - FRAME_S / 2)


def beside_pauses(pieces: Sequence[Piece], pauses: Sequence[Interval]) -> tuple[Piece, ...]:
    """The pieces of a window with words that lie between the pauses.

    A word that spanned one is where the longer part of its sound is. What is heard on the other
    side is its neighbour's, if nothing was between them.
    """
    spans = [
        Interval(word.start_s or 0.0, word.end_s or 0.0) for piece in pieces for word in piece.words
    ]
    for k, span in enumerate(spans):
        parts = [*_audible(span, pauses)]
        if not parts:
            continue
        spans[k] = _longest(parts)
        first, last = parts[0], parts[-1]
        if spans[k] != first and k > 0 and spans[k - 1].end_s == first.start_s:
            both = Interval(spans[k - 1].start_s, first.end_s)
            spans[k - 1] = _longest([*_audible(both, pauses)])
        if spans[k] != last and spans[k + 1 : k + 2] and spans[k + 1].start_s == last.end_s:
            spans[k + 1] = Interval(last.start_s, spans[k + 1].end_s)
    return tuple(_moved(pieces, spans))


def _longest(parts: Sequence[Interval]) -> Interval:
    return max(parts, key=lambda part: part.length_s)


def _audible(span: Interval, pauses: Sequence[Interval]) -> Iterator[Interval]:
    """What of a span is in no pause; nothing of one without a length."""
    inside = [each for each in pauses if each.start_s < span.end_s and span.start_s < each.end_s]
    starts_s = [span.start_s, *(pause.end_s for pause in inside)]
    ends_s = [*(pause.start_s for pause in inside), span.end_s]
    parts = (Interval(start_s, end_s) for start_s, end_s in zip(starts_s, ends_s, strict=True))
    return (part for part in parts if part.length_s > 0)


def _moved(pieces: Sequence[Piece], spans: Sequence[Interval]) -> Iterator[Piece]:
    """The pieces with their words at these times; where that moves one, its piece goes with it."""
    rest = iter(spans)
    for piece in pieces:
        own = [*islice(rest, len(piece.words))]
        words = tuple(
            replace(word, start_s=span.start_s, end_s=span.end_s)
            for word, span in zip(piece.words, own, strict=True)
        )
        if words == piece.words:
            yield piece
        else:
            yield replace(piece, start_s=own[0].start_s, end_s=own[-1].end_s, words=words)
