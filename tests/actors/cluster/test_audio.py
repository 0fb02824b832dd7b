"""Where audio waits for a worker."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import pytest
from pydantic import SecretStr

from asr.actors.cluster.audio import audio_store
from asr.actors.jobs.blobs import BlobsFull
from asr.actors.jobs.settings import ClusterSettings, JobSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr.actors.jobs.blobs import Blobs
    from asr.actors.jobs.redis.client import Client

MEGABYTE = 1_000_000
NO_CLIENT = cast("Client", None)


@contextmanager
def scratch(_suffix: str) -> Iterator[Path]:
    raise AssertionError("nothing is read")
    yield


def store(url: str, *, part: float = 1.0) -> Blobs:
    jobs, cluster = JobSettings(audio_max_mb=2), ClusterSettings(store_url=SecretStr(url))
    return audio_store(jobs, cluster, NO_CLIENT, scratch, part=part)


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "sound"
    path.write_bytes(bytes(MEGABYTE))
    return path


async def test_what_others_keep_in_the_folder_is_never_swept(tmp_path: Path, sound: Path) -> None:
    theirs = tmp_path / "shared" / "thesis.docx"
    theirs.parent.mkdir()
    theirs.write_bytes(b"years of work")
    blobs = store(f"file://{theirs.parent}")
    await blobs.put("job-1", sound)
    assert await blobs.used_bytes() == MEGABYTE
    await blobs.sweep((), older_than_s=-60)
    assert await blobs.used_bytes() == 0
    assert theirs.read_bytes() == b"years of work"


async def test_shares_leave_room_for_what_clients_send(tmp_path: Path, sound: Path) -> None:
    url = f"file://{tmp_path}/shared"
    shares, jobs = store(url, part=0.5), store(url)
    await shares.put("share-1", sound)
    with pytest.raises(BlobsFull):
        await shares.put("share-2", sound)
    await jobs.put("job-1", sound)


def test_an_address_of_no_store_is_refused() -> None:
    with pytest.raises(ValueError, match="ASR_STORE_URL"):
        store("gopher://somewhere")
