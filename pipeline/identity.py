"""Which question it is: digests of all that a stage's answer depends on.

The same key is the same question, on any machine: so keys hold what is said and heard, and no path
and no time. What they cannot see is our own code, so a release has keys of its own, and a stage
whose answers change within one has a new number in STAGES.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asr import __version__
from asr.pipeline.digests import SUMS
from asr.pipeline.records import VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from asr.pipeline.audio import Audio
    from asr.pipeline.speakers import Diarize, SpeakerSettings
    from asr.pipeline.types import Decoding, Segment, Window

STAGES: Mapping[str, int] = MappingProxyType(
    {"speech": 1, "language": 1, "window": 1, "speakers": 1, "words": 1}
)

BLOCK_BYTES = 8 << 20  # a few milliseconds of hashing

KEY_DIGITS = 40  # of hexadecimal: 160 bits, as a commit of Git's has


@dataclass(frozen=True, slots=True)
class Weights:
    """A model as it computes: its name, what its files hold, and in what precision it is."""

    name: str
    files: str
    compute_type: str


@dataclass(frozen=True, slots=True)
class AudioKeys:
    """The keys of everything that can be asked of samples with this digest."""

    digest: str

    def speech(self, network: str) -> str:
        """Where somebody speaks."""
        return self._key("speech", network)

    def language(self, weights: Weights, window: Window) -> str:
        """Which language is spoken in a window."""
        return self._key("language", asdict(weights), window.start_s, window.end_s)

    def window(self, weights: Weights, window: Window, decoding: Decoding) -> str:
        """What is said in a window."""
        times = window.start_s, window.end_s
        return self._key("window", asdict(weights), *times, asdict(decoding))

    def speakers(
        self, network: str, question: Diarize, clips: Sequence[str], settings: SpeakerSettings
    ) -> str:
        """Who speaks when; ``clips`` are the digests of the known voices' samples."""
        return self._key(
            "speakers",
            network,
            question.count,
            question.fewest,
            question.most,
            [[clip.name, digest] for clip, digest in zip(question.known, clips, strict=True)],
            settings.clustering_threshold,
            settings.min_duration_off_s,
            dict(settings.param_overrides or {}),
        )

    def words(self, network: str, segment: Segment, language: str) -> str:
        """When the words of a segment are spoken."""
        return self._key("words", network, segment.start_s, segment.end_s, segment.text, language)

    def _key(self, stage: str, *parts: Any) -> str:
        asked = [__version__, VERSION, STAGES[stage], self.digest, *parts]
        text = json.dumps(asked, sort_keys=True, separators=(",", ":"))
        return f"{stage}.{hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]}"


def digest_of(audio: Audio, check: Callable[[], None] = lambda: None) -> str:
    """The digest of an audio's samples: 2 GB/s. ``check`` may end that by what it raises."""
    digest = hashlib.sha256()
    with audio.path.open("rb", buffering=0) as file:
        while block := file.read(BLOCK_BYTES):
            check()
            digest.update(block)
    return digest.hexdigest()


def files_identity(path: Path) -> str:
    """What a model's folder, or file, holds, told without reading its weights.

    By the sums that were written down when it came, or its names in the hub's cache; of files that
    somebody put there by hand, by their sizes and when they were written.
    """
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    sums = next((file for file in files if file.name == SUMS), None)
    if sums is not None:
        told = [sums.read_text(encoding="utf-8")]
    else:
        told = [_file_identity(file) for file in files if file.is_file()]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:KEY_DIGITS]


def _file_identity(file: Path) -> str:
    if file.is_symlink() and file.resolve().parent.name == "blobs":  # named by what it holds
        return f"{file.name} {file.resolve().name}"
    told = file.stat()
    return f"{file.name} {told.st_size} {told.st_mtime_ns}"
