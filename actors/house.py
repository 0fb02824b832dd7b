"""The house: opens the nurseries and channels of all actors, and yields their addresses.

Interface sketch; filled in with the actors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asr.pipeline.setting import setting
from asr.pipeline.types import Options, Progress, Transcript


@dataclass(frozen=True, slots=True)
class HouseSettings:
    """What bounds the work behind the front desk."""

    max_file_size_mb: int = setting("MAX_FILE_SIZE_MB", 1000, "largest upload, in MB")
    uploads_max_mb: int = setting("ASR_UPLOADS_MAX_MB", 4000, "all uploads in flight together")
    gpu_concurrency: int = setting("GPU_CONCURRENCY", 8, "requests worked on at once")
    max_queue_size: int = setting("MAX_QUEUE_SIZE", 32, "requests that may wait; 503 past that")
    request_deadline_s: float = setting("ASR_REQUEST_DEADLINE_S", 3600.0, "504 past that")
    audio_max_s: float = setting("ASR_AUDIO_MAX_S", 36000.0, "longest audio accepted")
    drain_s: float = setting("ASR_DRAIN_S", 30.0, "accepted requests may finish at shutdown")
