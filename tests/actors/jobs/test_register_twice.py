"""A client that sends a job, gives up, and sends it again meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.blobs import FolderBlobs
from asr.actors.jobs.office import Crew, open_jobs
from asr.actors.jobs.runner import JobRunner
from tests.actors.jobs.orders import FakeHouse, audio, open_register, submit

if TYPE_CHECKING:
    from pathlib import Path


class Slow(FolderBlobs):
    """A store that takes its time with the first file, and deletes what was not put to its end."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, bytes_max=1000)
        self.begun = trio.Event()

    async def put(self, key: str, file: Path) -> None:
        await super().put(key, file)
        if self.begun.is_set():
            return
        self.begun.set()
        try:
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                await self.drop(key)


async def test_who_gives_up_does_not_take_the_audio_of_who_comes_again(tmp_path: Path) -> None:
    async with open_register(tmp_path) as opened, trio.open_nursery() as nursery:
        blobs = Slow(tmp_path / "audio")
        register = replace(opened, blobs=blobs)
        nursery.start_soon(submit, register, tmp_path)
        await blobs.begun.wait()
        await submit(register, tmp_path)
        nursery.cancel_scope.cancel()
    assert audio(tmp_path) == ["x"]


async def test_of_two_who_come_at_once_one_file_is_kept_and_done(tmp_path: Path) -> None:
    async with open_register(tmp_path) as register:
        async with trio.open_nursery() as nursery:
            for folder in (tmp_path / "1", tmp_path / "2"):
                folder.mkdir()
                nursery.start_soon(submit, register, folder)
        assert audio(tmp_path) == ["x"]
        house = FakeHouse()
        runner = JobRunner(house.as_house(), register.blobs, register.keep, 60.0)
        listening = await register.events("a", client=None)
        async with open_jobs(register, Crew(runner, slots=1)), listening as events:
            kinds = [event.kind async for event in events]
        assert (kinds[-1], house.heard) == ("done", [b"x"])
