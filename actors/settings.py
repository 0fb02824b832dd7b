"""What the operator may set about the work behind the front desk."""

from dataclasses import dataclass

from asr.pipeline.setting import setting


@dataclass(frozen=True, slots=True)
class HouseSettings:
    """What bounds the work behind the front desk."""

    max_file_size_mb: int = setting("MAX_FILE_SIZE_MB", 1000, "largest upload, in MB")
    uploads_max_mb: int = setting("ASR_UPLOADS_MAX_MB", 4000, "all uploads in flight together, MB")
    disk_free_min_mb: int = setting(
        "ASR_DISK_FREE_MIN_MB", 500, "what uploads leave free of the disk, MB; 503 before that"
    )
    gpu_concurrency: int | None = setting(
        "GPU_CONCURRENCY", None, "requests worked on at once; by default 8 on a CPU, 64 on a GPU"
    )
    max_queue_size: int = setting("MAX_QUEUE_SIZE", 32, "requests that may wait; 503 past that")
    client_max: int | None = setting(
        "ASR_CLIENT_MAX",
        None,
        "requests that one client may have: uploading, and waiting and running; none: all",
    )
    request_deadline_s: float = setting("ASR_REQUEST_DEADLINE_S", 3600.0, "504 past that")
    audio_max_s: float = setting("ASR_AUDIO_MAX_S", 36000.0, "longest audio accepted, in seconds")
    keep_alive_s: float = setting(
        "MODEL_KEEP_ALIVE_SECONDS", 3600.0, "idle models are freed after this; 0 = never"
    )
    eviction_interval_s: float = setting(
        "MODEL_EVICTION_INTERVAL_SECONDS", 60.0, "how often to look for idle models; at least 30"
    )
    # A call is a load of some gigabytes, or a step: eight windows of large-v3 take five minutes to
    # join a batch on two slow cores.
    hang_s: float = setting(
        "ASR_HANG_S", 900.0, "a thread whose call takes longer is given up: exit code 71"
    )
    drain_s: float = setting("ASR_DRAIN_S", 30.0, "accepted requests may finish at shutdown")

    def running_max(self, device: str) -> int:
        """Requests worked on at once: enough of them that a batch of windows is always full."""
        return self.gpu_concurrency or (8 if device == "cpu" else 64)
