"""Jobs whose time is up, where several processes delete them, or end half way."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import trio

from asr.actors.jobs import register as register_of_jobs
from asr.actors.jobs.blobs import FolderBlobs
from asr.actors.jobs.queue import UnknownJob
from asr.actors.jobs.register import ORPHANED_S
from tests.actors.jobs.orders import audio, open_register, submit

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr.actors.jobs.queue import Standing
    from asr.actors.jobs.register import Register

JOBS = "abcdefgh"


class Torn(FolderBlobs):
    """A store from which nothing can be deleted."""

    async def drop(self, key: str) -> None:
        raise OSError(key)


def later(register: Register) -> Register:
    """The same when everything that has ended by now is to be deleted."""
    return replace(register, clock=lambda: register.clock() + register.settings.keep_s + 1)


async def test_two_who_delete_the_same_jobs_do_not_disturb_each_other(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        for name in JOBS:
            await submit(register, tmp_path, name)
            await register.queue.cancel(name)
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(later(register).sweep)
        assert await register.list(client=None) == ()
        assert audio(tmp_path) == []


async def test_a_job_that_could_not_be_deleted_wholly_is_there_to_be_deleted(
    tmp_path: Path,
) -> None:
    async with open_register(tmp_path) as register:
        await submit(register, tmp_path)
        await register.queue.cancel("a")
        torn = replace(register, blobs=Torn(tmp_path / "audio", bytes_max=1000))
        with pytest.raises(OSError, match="a"):
            await later(torn).sweep()
        assert (await register.standing("a", client=None)).state == "cancelled"
        await later(register).sweep()
        assert audio(tmp_path) == []
        with pytest.raises(UnknownJob):
            await register.standing("a", client=None)


async def test_what_requests_wait_with_is_not_taken_from_them(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        held = tmp_path / "held"
        held.write_text("of a request")
        await register.blobs.put("held", held)
        os.utime(tmp_path / "audio" / "held", times=(0, time.time() - 2 * ORPHANED_S))
        await replace(register, orphaned_s=3 * ORPHANED_S).sweep_audio()
        assert audio(tmp_path) == ["of a request"]
        await register.sweep_audio()
        assert audio(tmp_path) == []


async def test_audio_is_swept_although_the_job_is_deleted_that_it_had_come_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(register_of_jobs, "PAGE", 2)
    async with open_register(tmp_path) as register:
        for name in JOBS:
            await submit(register, tmp_path, name)
        orphan = tmp_path / "orphan"
        orphan.write_text("of nobody")
        await register.blobs.put("orphan", orphan)
        listed, deleted = register.queue.list, list[str]()

        async def while_it_is_deleted(**asked: Any) -> Sequence[Standing]:
            page = await listed(**asked)
            if not deleted:
                deleted.append(page[-1].job.id)
                await register.queue.forget(deleted[0])
            return page

        monkeypatch.setattr(register.queue, "list", while_it_is_deleted)
        await replace(register, orphaned_s=-1).sweep_audio()
        assert deleted == ["g"]
        assert "of nobody" not in audio(tmp_path)
        assert len(audio(tmp_path)) == len(JOBS)
