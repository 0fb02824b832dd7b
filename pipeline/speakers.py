"""Who spoke: what is said of it, and what the operator may say about it.

A *turn* is a stretch in which one speaker speaks; turns of several may overlap. A *voice* is a
vector: what a network makes of somebody's speech, alike for the same person.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 (settings.py reads the hints)
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from asr.pipeline.setting import setting

if TYPE_CHECKING:
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import Segment


@dataclass(frozen=True, slots=True)
class Turn:
    """Somebody speaks, from one second of the audio to another."""

    start_s: float
    end_s: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Clip:
    """A voice that is known by name, and a few seconds of it."""

    name: str
    audio: Audio


@dataclass(frozen=True, slots=True)
class Diarize:
    """Say who speaks when in an audio.

    ``count`` is how many speak, if that is known; else ``fewest`` and ``most`` bound it. Who sounds
    like one of the ``known`` is called by that name.
    """

    audio: Audio
    count: int | None = None
    fewest: int | None = None
    most: int | None = None
    known: tuple[Clip, ...] = ()


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who speaks when, in order of time.

    ``turns`` overlap where people do; of ``exclusive``, which are for words, no two overlap.
    Speakers are SPEAKER_00, SPEAKER_01 and so on in the order in which they first speak, unless
    they are known by name. ``voices`` has 256 finite numbers for each who could be heard well
    enough, of length 1, made by ``voice_model``; only voices of one model can be compared.
    """

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...]
    voices: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    voice_model: str = ""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diarized:
    """How far a diarization is: the share that is done, from 0 to 1, and at its end the result."""

    done: float
    result: Diarization | None = None


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Align:
    """Say when each word of these segments is spoken; they are in ``language``, as the audio is."""

    audio: Audio
    segments: tuple[Segment, ...]
    language: str


@dataclass(frozen=True, slots=True)
class SpeakerSettings:
    """How words get their times and their speakers. None leaves a model's own value."""

    align_device: str = setting(
        "ALIGN_DEVICE",
        "auto",
        "device of the word aligner: as DEVICE, or off: times are those of Whisper's attention",
    )
    clustering_threshold: float | None = setting(
        "DIARIZE_CLUSTERING_THRESHOLD", None, "lower tells more voices apart, higher merges them"
    )
    min_duration_off_s: float | None = setting(
        "DIARIZE_MIN_DURATION_OFF", None, "pauses shorter than this many seconds are bridged"
    )
    param_overrides: Mapping[str, Any] | None = setting(
        "DIARIZE_PARAM_OVERRIDES", None, "JSON object merged into the diarizer's parameters"
    )
    fill_nearest: bool = setting(
        "DIARIZE_FILL_NEAREST", False, "words outside every turn get the nearest speaker"
    )
    resegment: bool = setting(
        "RESEGMENT_BY_SPEAKER", False, "a segment ends where the speaker changes"
    )
