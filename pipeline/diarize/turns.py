"""From what the network saw in overlapping chunks to turns on one time line.

Plain arithmetic on arrays, a block of frames at a time. The rules are those of pyannote.audio's
SpeakerDiarization (``speaker_count``, ``reconstruct``, ``Binarize``; Bredin, "pyannote.audio 2.1
speaker diarization pipeline", Interspeech 2023), which holds whole files as 64 bit numbers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from asr.pipeline.audio import SAMPLE_RATE
from asr.pipeline.speakers import Turn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from asr.pipeline.diarize.grid import Grid

NOBODY = -1

# A speaker of a chunk is one person if one is recognised in this share of their speech.
PURE = 0.8

# Frames at once: some minutes of them, so that what is held does not grow with the audio.
BLOCK = 1 << 14


class Run(NamedTuple):
    """One speaks from a frame up to another, which is not part of it."""

    start: int
    stop: int
    who: int


@dataclass(slots=True)
class Runs:
    """Who speaks in which frames, overlapping and not."""

    all: list[Run]
    exclusive: list[Run]


class Recognition(Protocol):
    """Tells who each speaker of a chunk is in each frame, or NOBODY: (frames, speakers), given in
    which frames they are ``active``, of the same shape."""

    def __call__(self, chunk: int, active: NDArray[np.bool_], /) -> NDArray[np.int64]: ...


class Reconstruction:
    """The time line of an audio: ``classes`` is what the network saw, (chunks, frames).

    ``who`` says which of ``count`` people speak in a chunk.
    """

    def __init__(
        self,
        grid: Grid,
        classes: NDArray[np.uint8],
        who: Recognition,
        count: int,
        *,
        at_once: int | None = None,
    ) -> None:
        self._grid, self._classes, self._who, self._count = grid, classes, who, count
        self._at_once = count if at_once is None else min(count, at_once)
        self.frames = grid.length(len(classes))

    def blocks(self) -> Iterator[Runs]:
        """Who speaks, block by block; a run may go on in the next."""
        for start in range(0, self.frames, BLOCK):
            yield self._block(start, min(start + BLOCK, self.frames))

    def _block(self, start: int, stop: int) -> Runs:
        votes, speaking = self._votes(start, stop)
        active, alone = _strongest(votes, np.minimum(speaking, self._at_once))
        every = [
            Run(start + one, start + other, who)
            for who in range(self._count)
            for one, other in _runs(active[:, who])
        ]
        borders = np.flatnonzero(np.diff(alone, prepend=NOBODY - 1))
        ends = [*borders[1:].tolist(), stop - start]
        exclusive = [
            Run(start + one, start + other, int(alone[one]))
            for one, other in zip(borders.tolist(), ends, strict=True)
            if alone[one] != NOBODY
        ]
        return Runs(every, exclusive)

    def _votes(self, start: int, stop: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """How many chunks hear each voice in a frame, and how many speak in it, on average."""
        length = self._grid.frames
        votes = np.zeros((stop - start, self._count), np.uint8)
        speaking = np.zeros(stop - start, np.float64)
        looks = np.zeros(stop - start, np.float64)
        for chunk in self._chunks(start, stop):
            first = self._grid.first_frame(chunk)
            mine = slice(max(first, start) - start, min(first + length, stop) - start)
            seen = slice(max(first, start) - first, min(first + length, stop) - first)
            active = self._grid.members[self._classes[chunk]]  # (frames, speakers)
            speaking[mine] += active[seen].sum(axis=1)
            looks[mine] += 1
            heard = np.zeros((length, self._count + 1), bool)  # the last is NOBODY
            np.put_along_axis(heard, self._who(chunk, active), 1, axis=1)
            votes[mine] += heard[seen, :-1]
        return votes, np.floor(speaking / np.maximum(looks, 1) + 0.5).astype(np.int64)

    def _chunks(self, start: int, stop: int) -> Iterable[int]:
        """The chunks that see any of these frames."""
        step_frames = self._grid.step_samples / SAMPLE_RATE / self._grid.frame_step_s
        first = max(0, int((start - self._grid.frames) / step_frames) - 1)
        last = min(len(self._classes) - 1, int(stop / step_frames) + 1)
        return (
            chunk
            for chunk in range(first, last + 1)
            if self._grid.first_frame(chunk) < stop
            and self._grid.first_frame(chunk) + self._grid.frames > start
        )


def recognise(active: NDArray[np.bool_], own: NDArray[np.int16]) -> NDArray[np.int64]:
    """Who each speaker of a chunk is in each frame, or NOBODY: (frames, speakers).

    A speaker is whom their voice is recognised as while nobody else speaks. Should that be several
    people, and none of them in nearly all of it, the network took these for one: then each frame
    is of whoever is recognised in the nearest one.
    """
    who = np.full(active.shape, NOBODY, np.int64)
    sure = (active.sum(axis=1) == 1) & (own != NOBODY)
    for speaker in np.flatnonzero(active.any(axis=0)).tolist():
        speaks = active[:, speaker]
        frames = np.flatnonzero(speaks & sure)
        if not len(frames):
            continue
        often = np.bincount(own[frames])
        if often.max() >= PURE * len(frames):
            who[speaks, speaker] = often.argmax()
        else:
            middles = (frames[1:] + frames[:-1]) / 2
            nearest = np.searchsorted(middles, np.flatnonzero(speaks))
            who[speaks, speaker] = own[frames[nearest]]
    return who


def turns(
    grid: Grid,
    runs: Sequence[Run],
    names: Mapping[int, str],
    *,
    end_s: float,
    bridge_s: float = 0.0,
) -> tuple[Turn, ...]:
    """Steady runs as turns in order of time, by name; pauses below ``bridge_s`` are bridged.

    A pause in which somebody else speaks is bridged as well: these turns may overlap.
    """
    told = [
        turn
        for who in sorted({run.who for run in runs})
        for turn in _bridged(
            (_turn(grid, run, names, end_s) for run in runs if run.who == who), bridge_s
        )
    ]
    return tuple(sorted(told, key=lambda turn: (turn.start_s, turn.end_s, turn.speaker)))


def exclusive_turns(
    grid: Grid,
    runs: Sequence[Run],
    names: Mapping[int, str],
    *,
    end_s: float,
    bridge_s: float = 0.0,
) -> tuple[Turn, ...]:
    """As ``turns``, of runs of which no two overlap: nor do these."""
    told = (_turn(grid, run, names, end_s) for run in runs)
    return tuple(_bridged(told, bridge_s))


def in_order(runs: Iterable[Run]) -> list[int]:
    """Who speaks, in the order in which they first do."""
    return list(dict.fromkeys(run.who for run in sorted(runs)))


def heard_of(runs: Iterable[Run], grid: Grid, end_s: float) -> list[Run]:
    """The runs as far as there is audio: chunks go on beyond it, where nobody can be heard."""
    frames = max(0, math.ceil((end_s - grid.frame_s / 2) / grid.frame_step_s))
    return [run._replace(stop=min(run.stop, frames)) for run in runs if run.start < frames]


def steady(runs: Sequence[Run], least: int) -> list[Run]:
    """The runs in order, those that were cut at a block's border whole again, without flickers.

    These are shorter than so many frames. Of who has no other run the longest is kept.
    """
    whole = _joined(runs)
    longest = {run.who: run for run in sorted(whole, key=lambda run: run.stop - run.start)}
    return [run for run in whole if run.stop - run.start >= least or run is longest[run.who]]


def _joined(runs: Sequence[Run]) -> list[Run]:
    open_runs: dict[int, Run] = {}
    closed: list[Run] = []
    for run in sorted(runs):
        before = open_runs.get(run.who)
        if before is not None and before.stop == run.start:
            run = before._replace(stop=run.stop)
        elif before is not None:
            closed.append(before)
        open_runs[run.who] = run
    return sorted([*closed, *open_runs.values()])


def _turn(grid: Grid, run: Run, names: Mapping[int, str], end_s: float) -> Turn:
    start_s = min(grid.middle_s(run.start), end_s)
    return Turn(start_s, min(grid.middle_s(run.stop), end_s), names[run.who])


def _bridged(told: Iterable[Turn], bridge_s: float) -> Iterator[Turn]:
    """Turns in order of time; two of one speaker that follow each other closely become one."""
    kept: list[Turn] = []
    for turn in told:
        if turn.end_s <= turn.start_s:
            continue  # all of it is beyond the end
        last = kept[-1] if kept else None
        if last and last.speaker == turn.speaker and turn.start_s - last.end_s < bridge_s:
            kept[-1] = Turn(last.start_s, turn.end_s, turn.speaker)
        else:
            kept.append(turn)
    return iter(kept)


def _strongest(
    votes: NDArray[np.uint8], speaking: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """The ``speaking`` voices with most votes in each frame, and the one with most, or NOBODY.

    Nobody speaks without a vote. Of equal ones the first is taken.
    """
    order = np.argsort(-votes.astype(np.int16), axis=1, kind="stable")
    ranks = np.empty_like(order)
    np.put_along_axis(ranks, order, np.arange(votes.shape[1])[None, :], axis=1)
    active = (ranks < speaking[:, None]) & (votes > 0)
    if not votes.shape[1]:
        return active, np.full(len(votes), NOBODY)
    return active, np.where(active.any(axis=1), order[:, 0], NOBODY)


def _runs(active: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Where a row of truths is true: from, up to."""
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False)).tolist()
    return list(pairwise(edges))[::2]
