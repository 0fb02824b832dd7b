"""The stores that machines share: a real Redis, and an object store on this disk."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
import trio
from obstore.store import LocalStore

from asr.actors.jobs.blobs import AudioGone, Blobs, BlobsFull
from asr.actors.jobs.blobs_object import ObjectBlobs
from asr.actors.jobs.redis.blobs import PIECE_BYTES, RedisBlobs
from asr.actors.jobs.redis.pool import Client
from asr.pipeline.errors import Busy, TooLarge
from tests.redis_server import needs_redis

pytestmark = needs_redis

SOUND = bytes(range(256)) * 5000  # three pieces, the last one not whole
assert 2 * PIECE_BYTES < len(SOUND) < 3 * PIECE_BYTES


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    file = tmp_path / "sound"
    file.write_bytes(SOUND)
    return file


class Room:
    """Room for files, and whether it has been given back."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = count()

    @contextmanager
    def scratch(self, suffix: str) -> Iterator[Path]:
        path = self.folder / f"{next(self._numbers)}{suffix}"
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)


@pytest.fixture
def room(tmp_path: Path) -> Room:
    folder = tmp_path / "scratch"
    folder.mkdir()
    return Room(folder)


def in_redis(client: Client, room: Room) -> RedisBlobs:
    return RedisBlobs(
        client, room.scratch, each_max=2 * len(SOUND), bytes_max=3 * len(SOUND), ttl_s=60
    )


@pytest.fixture(params=["redis", "object"])
def blobs(request: pytest.FixtureRequest, client: Client, room: Room, tmp_path: Path) -> Blobs:
    if request.param == "redis":
        return in_redis(client, room)
    store = LocalStore(tmp_path / "bucket", mkdir=True)
    return ObjectBlobs(store, room.scratch, bytes_max=3 * len(SOUND))


async def test_what_was_put_comes_back_and_the_copy_goes_with_its_reader(
    blobs: Blobs, sound: Path, room: Room
) -> None:
    await blobs.put("job-1.0f", sound)
    async with blobs.open("job-1.0f") as path:
        assert path.read_bytes() == SOUND
    assert list(room.folder.iterdir()) == []
    assert await blobs.used_bytes() == len(SOUND)


async def test_what_was_put_twice_counts_once(blobs: Blobs, sound: Path) -> None:
    for _ in range(2):
        await blobs.put("job-1", sound)
    async with blobs.open("job-1") as path:
        assert path.read_bytes() == SOUND
    if isinstance(blobs, RedisBlobs):
        assert await blobs.used_bytes() == len(SOUND)


async def test_what_is_dropped_is_gone_and_can_be_dropped_again(blobs: Blobs, sound: Path) -> None:
    await blobs.put("job-1", sound)
    for _ in range(2):
        await blobs.drop("job-1")
    with pytest.raises(AudioGone):
        async with blobs.open("job-1"):
            pass


async def test_all_of_it_has_a_bound(blobs: Blobs, sound: Path) -> None:
    for number in range(3):
        await blobs.put(f"job-{number}", sound)
    with pytest.raises(BlobsFull):
        await blobs.put("job-3", sound)


async def test_a_sweep_drops_what_nobody_needs(blobs: Blobs, sound: Path) -> None:
    await blobs.put("job-1", sound)
    await blobs.put("job-2", sound)
    await blobs.sweep([], older_than_s=60)
    await blobs.sweep(["job-1"], older_than_s=-1)
    async with blobs.open("job-1"):
        pass
    with pytest.raises(AudioGone):
        async with blobs.open("job-2"):
            pass


async def test_redis_goes_by_its_own_clock(
    client: Client, room: Room, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = in_redis(client, room)
    await blobs.put("job-1", sound)
    tomorrow = time.time() + 86_400
    monkeypatch.setattr(time, "time", lambda: tomorrow)  # as on a machine whose clock is wrong
    await blobs.sweep([], older_than_s=3600)
    async with blobs.open("job-1"):
        pass


async def test_a_name_is_never_a_path(blobs: Blobs, sound: Path) -> None:
    with pytest.raises(ValueError, match="name"):
        await blobs.put("../job", sound)


async def test_redis_takes_only_what_is_small(client: Client, room: Room, tmp_path: Path) -> None:
    large = tmp_path / "large"
    await trio.Path(large).write_bytes(SOUND * 2 + b".")
    with pytest.raises(TooLarge):
        await in_redis(client, room).put("job-1", large)
    assert await client.dbsize() == 0


async def test_redis_forgets_by_itself_what_nobody_drops(
    client: Client, room: Room, sound: Path
) -> None:
    await in_redis(client, room).put("job-1", sound)
    for number in range(3):
        assert 0 < await client.ttl(f"{{asr}}:audio:job-1:{number}") <= 60


async def test_a_bound_in_redis_is_exact_whoever_puts(
    client: Client, room: Room, sound: Path
) -> None:
    ends: list[bool] = []

    async def put(number: int) -> None:
        try:
            await in_redis(client, room).put(f"job-{number}", sound)
            ends.append(True)
        except BlobsFull:
            ends.append(False)

    async with trio.open_nursery() as nursery:
        for number in range(10):
            nursery.start_soon(put, number)
    assert sum(ends) == 3


async def test_who_leaves_while_it_puts_leaves_nothing(
    client: Client, room: Room, sound: Path
) -> None:
    blobs = in_redis(client, room)
    for puts in range(6):
        with trio.CancelScope() as scope:
            scope.deadline = trio.current_time() + puts * 0.001
            await blobs.put("job-1", sound)
            scope.cancel()
        if scope.cancelled_caught:
            assert await blobs.used_bytes() == 0
            assert await client.dbsize() <= 1, "the sum, which is 0"
        await blobs.drop("job-1")


async def test_a_full_redis_is_busy(client: Client, room: Room, sound: Path) -> None:
    await client.config_set({"maxmemory": "1", "maxmemory-policy": "noeviction"})
    try:
        with pytest.raises(Busy, match="no room"):
            await in_redis(client, room).put("job-1", sound)
    finally:
        await client.config_set({"maxmemory": "0"})


async def test_pieces_that_went_before_their_time_are_noticed(
    client: Client, room: Room, sound: Path
) -> None:
    blobs = in_redis(client, room)
    await blobs.put("job-1", sound)
    await client.unlink(["{asr}:audio:job-1:1"])
    with pytest.raises(AudioGone):
        async with blobs.open("job-1"):
            pass
    assert list(room.folder.iterdir()) == []


async def test_large_files_keep_nobody_waiting(client: Client, room: Room, tmp_path: Path) -> None:
    """Everybody waits while the server moves a value, so that none is large."""
    large = tmp_path / "large"
    await trio.Path(large).write_bytes(bytes(64 << 20))
    blobs = RedisBlobs(client, room.scratch, each_max=1 << 30, bytes_max=1 << 30, ttl_s=60)
    await blobs.put("job-1", large)
    names = [key async for key in client.scan_iter("{asr}:audio:job-1:*")]
    sizes = [await client.strlen(name) for name in names]
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= 1 << 20
