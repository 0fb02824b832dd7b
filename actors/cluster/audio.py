"""Where audio waits for a worker, by the address that the operator gave."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from asr.actors.jobs.blobs import FolderBlobs
from asr.actors.jobs.settings import WEEK_S
from asr.pipeline.setting import MEGABYTE

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.redis.client import Client
    from asr.actors.jobs.settings import ClusterSettings, JobSettings

    Scratch = Callable[[str], AbstractContextManager[Path]]

INLINE_FILES = 32  # of the largest size, that the queue's server has room for
STORE_PATIENCE_S = 30

# The folder in a store that is ours: what else lies there is never looked at, or swept.
FOLDER = "asr-audio"


def audio_store(
    jobs: JobSettings,
    cluster: ClusterSettings,
    client: Client,
    scratch: Scratch,
    *,
    part: float = 1.0,
) -> Blobs:
    """The store: a shared folder, an object store, or the queue's own server without either.

    It refuses what would not fit into that ``part`` of its room, with all that is there already.
    Raises ValueError for an address that means nothing.
    """
    bytes_max = round(part * jobs.audio_max_mb * MEGABYTE)
    if cluster.store_url is None:
        from asr.actors.jobs.redis.blobs import RedisBlobs

        each_max = cluster.inline_max_mb * MEGABYTE
        return RedisBlobs(
            client,
            scratch,
            each_max=each_max,
            bytes_max=min(round(part * INLINE_FILES * each_max), bytes_max),
            ttl_s=max(jobs.keep_s, WEEK_S),
        )
    if folder := cluster.store_folder:
        return FolderBlobs(folder / FOLDER, bytes_max=bytes_max)
    url = cluster.store_url.get_secret_value().rstrip("/")
    return _object_store(f"{url}/{FOLDER}", scratch, bytes_max)


def _object_store(url: str, scratch: Scratch, bytes_max: int) -> Blobs:
    from obstore.exceptions import BaseError
    from obstore.store import from_url

    from asr.actors.jobs.blobs_object import ObjectBlobs

    patience = timedelta(seconds=STORE_PATIENCE_S)
    try:
        store = from_url(url, retry_config={"max_retries": 5, "retry_timeout": patience})
    except (BaseError, ValueError):
        raise ValueError("ASR_STORE_URL is not the address of a store") from None
    return ObjectBlobs(store, scratch, bytes_max=bytes_max)
