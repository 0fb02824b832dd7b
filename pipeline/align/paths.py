"""Which frames of the audio are which characters of a text that is known: the best path through
what a CTC network heard.

The result is that of whispermlx's ``get_trellis``, ``backtrack`` and ``merge_repeats`` (after
torchaudio's tutorial on forced alignment), number for number and with their peculiarities. They go
through frames and tokens in Python; here a frame is a few steps over all tokens together, and of
the trellis only what the way back asks for is kept: a bit for each frame and token.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


class Emission(NamedTuple):
    """What a network heard in each frame: shape (frames, labels), float32.

    Both are of the same numbers, and both come from the network's own library, whose exponentials
    differ in the last bit from numpy's.
    """

    logs: NDArray[np.float32]
    probabilities: NDArray[np.float32]

    def with_wildcard(self, blank: int) -> Emission:
        """One label more, for what the network has no label for: the likeliest but the blank."""
        best = np.delete(self.logs, blank, axis=1).argmax(axis=1, keepdims=True)
        best += best >= blank
        columns = ([part, np.take_along_axis(part, best, axis=1)] for part in self)
        return Emission(*(np.concatenate(pair, axis=1) for pair in columns))


class Heard(NamedTuple):
    """The frames of one character, from ``first`` to before ``end``, and their mean probability."""

    first: int
    end: int
    score: float


def find_path(emission: Emission, tokens: Sequence[int], blank: int) -> tuple[Heard, ...] | None:
    """Where each of the tokens (one at least) is heard, in order; None if there is no way."""
    moves, ends = _search(emission.logs, tokens, blank)
    token = len(tokens)
    points: list[tuple[int, int, int]] = []  # (token, frame, label), from the last to the first
    for frame in range(int(ends.argmax()) - 1, -1, -1):
        moved = moves[frame, token - 1]
        points.append((token - 1, frame, tokens[token - 1] if moved else blank))
        token -= int(moved)
        if token == 0:
            return _merge(points[::-1], emission.probabilities)
    return None


def _search(
    logs: NDArray[np.float32], tokens: Sequence[int], blank: int
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Whether a frame begins a token (frames, tokens), and how well all end by a frame (frames + 1)

    A row of the trellis has a place before the first token, too. Equal numbers stay.
    """
    frames, count = len(logs), len(tokens)
    before = np.zeros(frames + 1, np.float32)
    before[1:] = np.cumsum(logs[:, blank], dtype=np.float64)  # torch adds up in float64, too
    before[-count:] = np.inf
    row = np.full(count + 1, -np.inf, np.float32)
    begins = logs[:, tokens]
    moves = np.empty((frames, count), np.bool_)
    ends = np.full(frames + 1, -np.inf, np.float32)
    stayed, moved = np.empty((2, count), np.float32)
    with np.errstate(invalid="ignore"):  # infinities of both signs: no number, as with torch
        for frame in range(frames):
            row[0] = before[frame]
            np.add(row[1:], logs[frame, blank], out=stayed)
            np.add(row[:-1], begins[frame], out=moved)
            np.greater(moved, stayed, out=moves[frame])
            np.maximum(stayed, moved, out=row[1:])
            ends[frame + 1] = row[count]
    return moves, ends


def _merge(
    points: Sequence[tuple[int, int, int]], probabilities: NDArray[np.float32]
) -> tuple[Heard, ...]:
    heard: list[Heard] = []
    for _, group in groupby(points, key=lambda point: point[0]):
        own = list(group)
        score = sum(float(probabilities[frame, label]) for _, frame, label in own) / len(own)
        heard.append(Heard(own[0][1], own[-1][1] + 1, score))
    return tuple(heard)
