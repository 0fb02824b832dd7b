"""What the operator may set about jobs, what is kept of them, and machines that share them."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from asr.actors.jobs.signature import signing_key
from asr.pipeline.setting import setting

WEEK_S = 604_800.0


@dataclass(frozen=True, slots=True)
class JobSettings:
    """What bounds jobs, and what is kept of their work."""

    folder: Path | None = setting(
        "ASR_JOBS_DIR", None, "jobs, their audio and their results (default: jobs in CACHE_DIR)"
    )
    waiting_max: int = setting("ASR_JOBS_MAX", 1000, "jobs that may wait; 503 past that")
    client_max: int | None = setting(
        "ASR_JOBS_CLIENT_MAX", None, "jobs that one client may have; 429 past that; none: all"
    )
    at_once: int | None = setting(
        "ASR_JOBS_AT_ONCE", None, "jobs worked on at once (default: as GPU_CONCURRENCY)"
    )
    deadline_s: float = setting(
        "ASR_JOBS_DEADLINE_S", 86_400.0, "a job that is worked on for longer fails"
    )
    audio_max_mb: int = setting(
        "ASR_JOBS_AUDIO_MAX_MB", 20_000, "audio of all jobs together, MB; 503 past that"
    )
    keep_s: float = setting(
        "ASR_JOBS_KEEP_S", WEEK_S, "jobs that have ended are deleted after this, results and all"
    )
    keep_audio: bool = setting(
        "ASR_JOBS_KEEP_AUDIO", False, "keep a job's audio with its result, not only until it ends"
    )
    cache_max_mb: int = setting(
        "ASR_CACHE_MAX_MB",
        500,
        "results of the stages, so that no work is done twice, MB; 0: none are kept",
    )
    webhook_secret: SecretStr | None = setting(
        "ASR_WEBHOOK_SECRET", None, "signs what webhooks are told; none: there are no webhooks"
    )
    webhooks_private: bool = setting(
        "ASR_WEBHOOKS_PRIVATE", False, "webhooks may have addresses of this machine and its network"
    )

    def __post_init__(self) -> None:
        """ValueError for a secret that nobody could check signatures by."""
        if self.webhook_secret is not None:
            signing_key(self.webhook_secret.get_secret_value())


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """How several machines share the work. Without ``queue_url`` there is only this one."""

    queue_url: SecretStr | None = setting(
        "QUEUE_URL",
        None,
        "redis://, rediss:// or unix:// of the Redis or Valkey that machines share",
    )
    store_url: SecretStr | None = setting(
        "ASR_STORE_URL",
        None,
        "where audio waits: file:///shared/folder or s3://bucket/prefix (default: in the queue)",
    )
    inline_max_mb: int = setting(
        "ASR_INLINE_MAX_MB", 64, "the largest audio that may wait in the queue itself, MB; 413"
    )
    lease_s: float = setting(
        "ASR_LEASE_S", 15.0, "a worker that is not heard of for so long has lost its jobs"
    )
    worker_models: str = setting(
        "ASR_WORKER_MODELS",
        "",
        "models that this worker does, separated by commas (default: all that it may have)",
    )
    share: bool = setting(
        "ASR_SHARE_WINDOWS", True, "long audio is decoded by several workers together"
    )

    def __post_init__(self) -> None:
        """ValueError for a store's address that is none."""
        try:
            _ = self.store_folder
        except ValueError:
            raise ValueError("ASR_STORE_URL: it is not the address of a store") from None

    @property
    def store_folder(self) -> Path | None:
        """Where the store is, if it is a folder."""
        parts = urlsplit(self.store_url.get_secret_value() if self.store_url else "")
        return Path(unquote(parts.path)) if parts.scheme == "file" else None
