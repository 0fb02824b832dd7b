import os
import time
from pathlib import Path

import pytest
import trio

from asr.actors.jobs.blobs import AudioGone, BlobsFull, FolderBlobs

DAY_S = 86_400.0


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    file = tmp_path / "1.upload"
    file.write_bytes(b"sound" * 100)
    return file


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "jobs" / "audio", bytes_max=1000)


async def test_what_was_put_is_there_when_the_file_it_came_from_is_not(
    blobs: FolderBlobs, sound: Path
) -> None:
    await blobs.put("job-1.0f", sound)
    await trio.Path(sound).unlink()
    async with blobs.open("job-1.0f") as path:
        assert path.read_bytes() == b"sound" * 100
    assert await blobs.used_bytes() == 500


async def test_on_one_disk_no_bytes_are_copied(
    blobs: FolderBlobs, sound: Path, tmp_path: Path
) -> None:
    await blobs.put("job-1.0f", sound)
    async with blobs.open("job-1.0f") as path:
        assert path.samefile(sound)


async def test_where_a_disk_has_no_links_the_file_is_copied(
    blobs: FolderBlobs, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(_self: Path, _target: Path) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(Path, "hardlink_to", no_links)
    await blobs.put("job-1.0f", sound)
    async with blobs.open("job-1.0f") as path:
        assert not path.samefile(sound)
        assert path.read_bytes() == b"sound" * 100


async def test_the_last_one_of_a_name_counts_and_nothing_else_is_left_over(
    blobs: FolderBlobs, sound: Path, tmp_path: Path
) -> None:
    await blobs.put("job-1.0f", sound)
    await blobs.put(
        "job-1.0f", sound
    )  # both names are of the same file: a rename does nothing then
    sound = sound.with_name("2.upload")
    sound.write_bytes(b"other")
    await blobs.put("job-1.0f", sound)
    async with blobs.open("job-1.0f") as path:
        assert path.read_bytes() == b"other"
    assert os.listdir(tmp_path / "jobs" / "audio") == ["job-1.0f"]


async def test_what_is_not_there_is_said_to_be_gone_and_may_be_dropped(blobs: FolderBlobs) -> None:
    with pytest.raises(AudioGone):
        async with blobs.open("job-1.0f"):
            pass
    await blobs.drop("job-1.0f")
    assert await blobs.used_bytes() == 0


async def test_what_was_dropped_is_gone(blobs: FolderBlobs, sound: Path) -> None:
    await blobs.put("job-1.0f", sound)
    await blobs.drop("job-1.0f")
    with pytest.raises(AudioGone):
        async with blobs.open("job-1.0f"):
            pass


async def test_all_audio_together_has_a_bound(blobs: FolderBlobs, sound: Path) -> None:
    await blobs.put("job-1.0f", sound)
    await blobs.put("job-2", sound)
    with pytest.raises(BlobsFull) as raised:
        await blobs.put("job-3", sound)
    assert raised.value.retry_after_s > 0
    await blobs.drop("job-1.0f")
    await blobs.put("job-3", sound)


async def test_a_sweep_drops_what_is_old_and_nobody_s(blobs: FolderBlobs, sound: Path) -> None:
    long_ago = time.time() - DAY_S
    os.utime(sound, (long_ago, long_ago))
    await blobs.put("job-1.0f", sound)
    await blobs.sweep([], older_than_s=60)
    assert await blobs.used_bytes() == 500, "it was put just now, however old the file was"

    async with blobs.open("job-1.0f") as path:
        os.utime(path, (long_ago, long_ago))
    await blobs.sweep(["job-1.0f"], older_than_s=60)
    assert await blobs.used_bytes() == 500, "it is to be kept"

    await blobs.sweep([], older_than_s=60)
    assert await blobs.used_bytes() == 0


@pytest.mark.parametrize("key", ["", "..", "a/b", "/etc/passwd", ".coming-1", "é", "x" * 201])
async def test_a_name_is_never_a_path(blobs: FolderBlobs, sound: Path, key: str) -> None:
    with pytest.raises(ValueError, match="name"):
        await blobs.put(key, sound)


async def test_only_this_user_may_look_into_the_folder(
    blobs: FolderBlobs, sound: Path, tmp_path: Path
) -> None:
    await blobs.put("job-1.0f", sound)
    assert (tmp_path / "jobs" / "audio").stat().st_mode & 0o777 == 0o700
