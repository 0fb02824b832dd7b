"""How chunks lie in an audio, and frames in a chunk, and what a class says of who speaks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray


def powerset(speakers: int, at_once: int) -> NDArray[np.bool_]:
    """Who speaks in each class of a network that tells sets of speakers: (classes, speakers)."""
    sets = [s for size in range(at_once + 1) for s in combinations(range(speakers), size)]
    return np.array([[who in members for who in range(speakers)] for members in sets], bool)


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """How chunks lie in an audio, and frames in a chunk; ``members`` says who speaks in a class.

    A frame is as long as what the network sees of the audio for it, so frames overlap.
    """

    chunk_samples: int
    step_samples: int
    frames: int  # of a chunk
    frame_s: float
    frame_step_s: float
    members: NDArray[np.bool_]  # (classes, speakers)

    def chunks(self, samples: int) -> int:
        """How many chunks it takes until the last has seen the end."""
        past_first = max(0, samples - self.chunk_samples)
        return 1 - (-past_first // self.step_samples) if samples else 0

    def first_frame(self, chunk: int) -> int:
        """Where a chunk's frames begin on the time line."""
        return round(chunk * self.step_samples / SAMPLE_RATE / self.frame_step_s)

    def core(self, chunk: int, chunks: int) -> tuple[int, int]:
        """Which of a chunk's frames no other chunk sees better: those in its middle.

        The cores of all ``chunks`` follow each other without a gap.
        """
        margin = (self.frames - (self.first_frame(1) - self.first_frame(0))) // 2
        ahead = self.first_frame(chunk + 1) - self.first_frame(chunk)
        return (
            margin if chunk else 0,
            ahead + margin if chunk < chunks - 1 else self.frames,
        )

    def length(self, chunks: int) -> int:
        """How many frames the time line of so many chunks has."""
        return self.first_frame(chunks - 1) + self.frames if chunks else 0

    def middle_s(self, frame: int) -> float:
        return frame * self.frame_step_s + self.frame_s / 2
