"""A share of a long file: some of its windows, with their samples, and what is heard in them.

Samples are sent as they are, one window after the other; they are put at their own times again, in
a file of the whole length that has holes elsewhere: a share's windows are those of the file itself.
"""

from __future__ import annotations

import json
import struct
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from asr.pipeline.audio import SAMPLE_BYTES, SAMPLE_RATE, Audio
from asr.pipeline.records import dump_heard, load_heard
from asr.pipeline.types import Decoding, Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from asr.actors.request import Heard

VERSION = 1

LENGTH = struct.Struct(">I")  # before each window's answer: how many bytes it has


@dataclass(frozen=True, slots=True)
class Share:
    """Windows by their times, of an audio of so many ``samples``, and how to decode them."""

    model: str
    decoding: Decoding
    samples: int
    windows: tuple[tuple[float, float], ...]
    request: str = ""

    def of(self, path: Path) -> tuple[Window, ...]:
        """The windows, of samples in a file."""
        audio = Audio(path, self.samples)
        return tuple(Window(audio, start_s, end_s) for start_s, end_s in self.windows)


def dump_share(share: Share) -> str:
    """A share as a job holds it."""
    return json.dumps({**asdict(share), "version": VERSION})


def load_share(work: str) -> Share:
    """The share that a job holds. Raises ValueError for one of another version."""
    plain = json.loads(work)
    try:
        if plain.pop("version") != VERSION:
            raise ValueError("another version")
        said = plain.pop("decoding")
        decoding = Decoding(**{**said, "temperatures": tuple(said["temperatures"])})
        windows = tuple((start_s, end_s) for start_s, end_s in plain.pop("windows"))
        return Share(**plain, decoding=decoding, windows=windows)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not a share of this version") from error


def pack_samples(windows: Sequence[Window], target: Path) -> None:
    """Write the samples of windows into a file, one after the other."""
    with windows[0].audio.path.open("rb") as source, target.open("xb") as packed:
        for first, end in _extents(windows):
            source.seek(first * SAMPLE_BYTES)
            packed.write(source.read((end - first) * SAMPLE_BYTES))


def unpack_samples(packed: Path, windows: Sequence[Window]) -> None:
    """Write the samples of windows where the windows look for them. Raises ValueError."""
    with packed.open("rb") as source, windows[0].audio.path.open("xb") as target:
        target.truncate(windows[0].audio.samples * SAMPLE_BYTES)
        for first, end in _extents(windows):
            samples = source.read(size := (end - first) * SAMPLE_BYTES)
            if len(samples) != size:
                raise ValueError("some samples are missing")
            target.seek(first * SAMPLE_BYTES)
            target.write(samples)


def _extents(windows: Sequence[Window]) -> Iterator[tuple[int, int]]:
    """The first sample of each window and the one after its last, as ``Audio.read`` has them."""
    for window in windows:
        first = max(0, round(window.start_s * SAMPLE_RATE))
        end = min(window.audio.samples, round(window.end_s * SAMPLE_RATE))
        yield first, max(first, end)


def pack_answers(answers: Sequence[Heard]) -> bytes:
    """What was heard in each window."""
    records = [dump_heard(answer) for answer in answers]
    return b"".join(LENGTH.pack(len(record)) + record for record in records)


def unpack_answers(packed: bytes, audio: Audio) -> list[Heard]:
    """What was heard in each window of an audio. Raises ValueError."""
    answers: list[Heard] = []
    at = 0
    while at < len(packed):
        try:
            (size,) = LENGTH.unpack_from(packed, at)
        except struct.error as error:
            raise ValueError("an answer is cut off") from error
        at += LENGTH.size + size
        answers.append(load_heard(packed[at - size : at], audio))
    return answers
