"""With a real disk and real threads: so no mock clock here."""

import errno
import gc
import os
import stat
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.receiver import GATHER_BYTES, Limits, Receiver, ReceiverStats, run_receiver
from asr.actors.spool import PREFIX, Files, explained, own_folder
from asr.pipeline.errors import Busy, StorageFull, TooLarge
from tests.fakes import FakeThread

LIMITS = Limits(upload_bytes_max=100, all_bytes_max=150, uploads_max=3, free_min_bytes=1000)
LARGE = Limits(upload_bytes_max=1 << 30, all_bytes_max=1 << 30, free_min_bytes=0)


class Disk:
    """How much room the disk has left, as far as the receiver can see."""

    def __init__(self) -> None:
        self.free_bytes = 1 << 40

    def __call__(self, folder: Path) -> int:
        return self.free_bytes


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
async def receiver(nursery: trio.Nursery, tmp_path: Path, disk: Disk) -> Receiver:
    return await opened(nursery, tmp_path, LIMITS, free_bytes=disk)


async def opened(
    nursery: trio.Nursery,
    root: Path,
    limits: Limits,
    *,
    in_thread: FakeThread | None = None,
    free_bytes: Callable[[Path], int] = lambda _: 1 << 40,
) -> Receiver:
    receiver: Receiver = await nursery.start(
        partial(run_receiver, root, limits, in_thread=in_thread, free_bytes=free_bytes)
    )
    return receiver


def spooled(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.is_file())


async def test_an_upload_is_a_private_file_until_its_context_is_left(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with receiver.open() as spool:
        for piece in (b"speech ", bytearray(b"and "), memoryview(b"silence")):
            await spool.write(piece)
        await spool.finish()
        assert (spool.path.read_bytes(), spool.size) == (b"speech and silence", 18)
        assert stat.S_IMODE(spool.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(spool.path.parent.stat().st_mode) == 0o700
        assert receiver.stats() == ReceiverStats(uploads=1, bytes=18)
    assert spooled(tmp_path) == []
    assert receiver.stats() == ReceiverStats(uploads=0, bytes=0)


async def test_an_empty_upload_is_an_empty_file(receiver: Receiver) -> None:
    async with receiver.open() as spool:
        await spool.finish()
        assert spool.path.read_bytes() == b""


async def test_a_large_upload_goes_to_the_disk_as_it_comes(
    nursery: trio.Nursery, tmp_path: Path
) -> None:
    receiver = await opened(nursery, tmp_path, LARGE)
    piece = os.urandom(300_000)
    async with receiver.open() as spool:
        for _ in range(3):
            await spool.write(piece)
        assert spooled(tmp_path) == []
        await spool.write(piece)
        assert spool.path.stat().st_size == 1_200_000 >= GATHER_BYTES
        await spool.write(b"the end")
        await spool.finish()
        assert spool.path.read_bytes() == piece * 4 + b"the end"


async def test_uploads_at_the_same_time_do_not_mix(nursery: trio.Nursery, tmp_path: Path) -> None:
    receiver = await opened(nursery, tmp_path, LARGE)
    whole: list[bool] = []

    async def upload(content: bytes) -> None:
        async with receiver.open() as spool:
            for _ in range(5):
                await spool.write(content)
            await spool.finish()
            whole.append(spool.path.read_bytes() == content * 5)

    async with trio.open_nursery() as clients:
        for number in range(6):
            clients.start_soon(upload, bytes([number]) * 600_000)
    assert whole == [True] * 6
    assert spooled(tmp_path) == []


async def test_more_than_the_limit_is_refused_as_soon_as_it_is_known(receiver: Receiver) -> None:
    message = "File too large. Maximum content size limit is 100 bytes"
    with pytest.raises(TooLarge, match=message) as refusal:
        async with receiver.open(declared_bytes=101):
            pytest.fail("it was announced")
    assert (refusal.value.param, refusal.value.code) == ("file", "file_too_large")
    async with receiver.open() as spool:
        await spool.write(b"x" * 100)
        with pytest.raises(TooLarge, match=message):
            await spool.write(b"x")
    assert receiver.max_bytes == 100


async def test_all_uploads_share_a_budget_of_what_they_announced_or_hold(
    receiver: Receiver,
) -> None:
    async with receiver.open(declared_bytes=90) as announced, receiver.open() as other:
        await announced.write(b"x" * 10)
        await other.write(b"x" * 60)
        assert receiver.stats() == ReceiverStats(uploads=2, bytes=150)
        with pytest.raises(Busy):
            await other.write(b"x")
        with pytest.raises(Busy):
            async with receiver.open(declared_bytes=1):
                pytest.fail("the budget was spent")
        await announced.write(b"x" * 80)  # what was announced is there for it
    async with receiver.open(declared_bytes=100):
        assert receiver.stats() == ReceiverStats(uploads=1, bytes=100)


async def test_only_so_many_uploads_may_be_open(receiver: Receiver) -> None:
    async with AsyncExitStack() as uploads:
        for _ in range(3):
            await uploads.enter_async_context(receiver.open())
        with pytest.raises(Busy):
            await uploads.enter_async_context(receiver.open())


async def test_a_disk_that_is_nearly_full_takes_no_more(receiver: Receiver, disk: Disk) -> None:
    disk.free_bytes = 1050  # 1000 must stay free
    with pytest.raises(StorageFull):
        async with receiver.open(declared_bytes=51):
            pytest.fail("there was no room")
    async with receiver.open(declared_bytes=50) as spool:
        disk.free_bytes = 1009
        await spool.write(b"x" * 10)
        with pytest.raises(StorageFull):
            await spool.finish()
    disk.free_bytes = 999
    with pytest.raises(StorageFull), receiver.scratch(".s16"):
        pytest.fail("there was no room")
    assert receiver.stats() == ReceiverStats(uploads=0, bytes=0)


def test_a_disk_that_says_only_at_the_close_that_it_was_full_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Files(lambda: 1 << 40, free_min_bytes=0)
    assert files.append(tmp_path / "1.upload", b"sound") is None
    close = os.close

    def refuse(descriptor: int) -> None:
        close(descriptor)
        raise OSError(errno.EDQUOT, "as a file system in the network does")

    monkeypatch.setattr(os, "close", refuse)
    files.drop(tmp_path / "1.upload")
    assert (list(files), list(tmp_path.iterdir())) == ([], [])


def test_a_full_disk_and_a_full_quota_are_told_from_a_broken_disk() -> None:
    broken = OSError(errno.EIO, "Input/output error")
    assert type(explained(OSError(errno.ENOSPC, ""))) is StorageFull
    assert type(explained(OSError(errno.EDQUOT, ""))) is StorageFull
    assert explained(broken) is broken


async def test_a_client_who_leaves_before_its_part_is_stored_leaves_nothing_behind(
    nursery: trio.Nursery, tmp_path: Path, thread: FakeThread
) -> None:
    receiver = await opened(nursery, tmp_path, LARGE, in_thread=thread)

    async def upload() -> None:
        async with receiver.open() as spool:
            await spool.write(b"x" * GATHER_BYTES)

    thread.hold()
    async with trio.open_nursery() as clients:
        for _ in range(8):  # one is at the disk, four in the mailbox, three wait to send
            clients.start_soon(upload)
        await wait_all_tasks_blocked()
        clients.cancel_scope.cancel()
    assert receiver.stats() == ReceiverStats(uploads=0, bytes=0)
    thread.release()
    await wait_all_tasks_blocked()
    assert spooled(tmp_path) == []
    assert thread.calls == 2  # the part that was at the disk, and its removal


async def test_a_slow_disk_holds_the_senders_back(
    nursery: trio.Nursery, tmp_path: Path, thread: FakeThread
) -> None:
    receiver = await opened(nursery, tmp_path, LARGE, in_thread=thread)
    record: list[str] = []

    async def upload() -> None:
        async with receiver.open() as spool:
            await spool.write(b"x" * GATHER_BYTES)
            record.append("sent")

    thread.hold()
    nursery.start_soon(upload)
    await wait_all_tasks_blocked()
    record.append("the disk goes on")
    thread.release()
    await wait_all_tasks_blocked()
    assert record == ["the disk goes on", "sent"]


@pytest.mark.usefixtures("no_chance_collection")
async def test_files_that_nobody_needs_are_closed_without_another_upload(
    nursery: trio.Nursery, tmp_path: Path, thread: FakeThread
) -> None:
    receiver = await opened(nursery, tmp_path, LARGE, in_thread=thread)
    gc.collect()
    before = descriptors()
    async with receiver.open() as spool:
        await spool.finish()
        assert descriptors() == before + 1
    await wait_all_tasks_blocked()
    assert descriptors() == before


def descriptors() -> int:
    """How many files this process has open."""
    return len(os.listdir("/dev/fd"))


async def test_a_scratch_path_is_unused_and_what_was_put_there_goes(receiver: Receiver) -> None:
    with receiver.scratch(".s16") as one, receiver.scratch(".s16") as other:
        assert (one != other, one.exists(), one.suffix) == (True, False, ".s16")
        one.write_bytes(b"samples")
    assert not one.exists()


@pytest.mark.usefixtures("no_chance_collection")
async def test_the_bytes_of_a_scratch_file_are_given_back_beside_the_event_loop(
    nursery: trio.Nursery, tmp_path: Path, thread: FakeThread
) -> None:
    receiver = await opened(nursery, tmp_path, LARGE, in_thread=thread)
    gc.collect()
    before = descriptors()
    thread.hold()
    with receiver.scratch(".s16") as path:
        path.write_bytes(b"samples")
    await wait_all_tasks_blocked()
    assert (path.exists(), descriptors() - before) == (False, 1)
    thread.release()
    await wait_all_tasks_blocked()
    assert descriptors() == before


async def test_the_folder_goes_when_the_receiver_does(tmp_path: Path) -> None:
    async with trio.open_nursery() as nursery:
        await opened(nursery, tmp_path, LIMITS)
        assert len(os.listdir(tmp_path)) == 1
        nursery.cancel_scope.cancel()
    assert os.listdir(tmp_path) == []


def test_what_dead_runs_left_is_swept_and_what_lives_or_is_not_ours_stays(tmp_path: Path) -> None:
    dead = tmp_path / f"{PREFIX}{os.getpid()}-dead"  # a number that is used again
    dead.mkdir()
    (dead / "1.upload").write_bytes(b"left behind")
    stranger = tmp_path / "holiday pictures"
    stranger.mkdir()
    with own_folder(tmp_path) as living, own_folder(tmp_path) as mine:
        assert set(tmp_path.iterdir()) == {living, mine, stranger}
