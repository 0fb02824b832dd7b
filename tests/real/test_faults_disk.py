"""A disk that is really full: a small one is mounted for the spool, where that is allowed."""

from __future__ import annotations

import shutil
import subprocess
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from asr.pipeline.setting import MEGABYTE
from tests.real import process, sounds
from tests.real.faulty import Caller, caller
from tests.real.rig import serving_fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx

    from tests.real.rig import Rig

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

DISK_MB = 8


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "cache" / "spool"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("nothing can be mounted here")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
async def asking(
    environment: dict[str, str], log: Path, disk: Path, rig: Rig
) -> AsyncIterator[Caller]:
    cache = disk.parent
    (cache / "models").symlink_to(Path(environment["CACHE_DIR"], "models"))
    settings = environment | {"CACHE_DIR": str(cache), "ASR_DISK_FREE_MIN_MB": "0"}
    with serving_fake(settings, log, rig) as server:
        async with caller(server) as asking:
            yield asking


async def test_it_costs_who_needs_it_and_nobody_once_there_is_room_again(
    asking: Caller, disk: Path, rig: Rig, tmp_path: Path
) -> None:
    looped = ("-stream_loop", "-1")
    long = tmp_path / "long.opus"  # 0.2 MB, and 10 MB of samples
    sounds.as_file(sounds.JFK, long, "-t", "300", "-b:a", "6k", before=looped)
    rig.order("engine.admit", "hold")
    read_before: list[httpx.Response] = []

    async def ask_before() -> None:
        read_before.append(await asking.ask())

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_before)
        await rig.held("engine.admit")
        is_full(await asking.ask(file=long))  # its samples have no room
        await process.until(partial(has_room, disk))
        filler = disk / "filler"
        fill(filler)
        is_full(await asking.ask())  # nor has an upload
        assert (await asking.health())[1]["status"] == "healthy"
        rig.lift("engine.admit")
    assert [answer.status_code for answer in read_before] == [200]
    filler.unlink()
    assert (await asking.ask()).text == "word\n"
    assert left_on(disk) == []


def left_on(disk: Path) -> list[str]:
    return [file.name for file in disk.glob("*/*")]


async def has_room(disk: Path) -> bool:
    """Whether what was begun in vain is gone: that is done beside the answer."""
    return shutil.disk_usage(disk).free > DISK_MB * MEGABYTE * 0.8


def fill(file: Path) -> None:
    """Write until there is no room."""
    with file.open("wb", buffering=0) as stream:
        try:
            while True:
                stream.write(bytes(4096))
        except OSError:
            return


def is_full(answer: httpx.Response) -> None:
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "30")
    assert answer.json()["detail"].startswith("The server has no disk space left")
