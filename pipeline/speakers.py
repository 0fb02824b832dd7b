"""Who spoke: what the operator may say about it.

Only the settings for now. They are read and checked already, so that an environment made for the
reference service starts this one too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asr.pipeline.setting import setting


@dataclass(frozen=True, slots=True)
class SpeakerSettings:
    """How words get their times and their speakers. None leaves a model's own value."""

    align_device: str | None = setting("ALIGN_DEVICE", None, "device of the word aligner")
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
