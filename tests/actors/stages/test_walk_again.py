"""A job that begins again, after its process was gone, goes on where it was."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.jobs.local.journal import open_journal
from asr.actors.stages.cache import Cache
from asr.actors.stages.sqlite_keep import open_sqlite_keep
from asr.pipeline.types import Options, Progress, Transcript
from tests.actors.stages.conftest import NETWORKS
from tests.actors.stages.test_sqlite_keep import evicted
from tests.actors.stages.test_walk import ALL, work
from tests.actors.stages.test_walk_together import until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.actors.walk import Walk
    from tests.fakes import FakeThread

WINDOWS = 8


class StopsAfter(list[Progress]):
    """What is told; the engine stands still when so many windows were."""

    def __init__(self, windows: int, thread: FakeThread) -> None:
        super().__init__()
        self.left = windows
        self._thread = thread

    def append(self, progress: Progress) -> None:
        super().append(progress)
        if progress.segments and self.left:
            self.left -= 1
            if not self.left:
                self._thread.hold()


async def killed_after(walk: Walk, windows: int, thread: FakeThread, folder: Path) -> Path:
    """Have a job under way until so many windows are answered: the disk as it was then."""
    disk = folder / "as it was"
    async with open_journal(folder / "jobs") as journal, open_sqlite_keep(journal, 0) as keep:
        walk.cache = Cache(keep, NETWORKS)
        walk.progress = told = StopsAfter(windows, thread)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(lambda: walk.transcribe(ALL, job="job"))
            await until(lambda: told.left == 0)
            await keep.flush()
            shutil.copytree(folder / "jobs", disk)
            nursery.cancel_scope.cancel()
            thread.release()
    return disk


async def goes_on(walk: Walk, disk: Path) -> Transcript:
    """The job, once more."""
    walk.progress = []
    async with open_journal(disk) as journal, open_sqlite_keep(journal, 0) as keep:
        walk.cache = Cache(keep, NETWORKS)
        return await walk.transcribe(ALL, job="job")


@pytest.mark.parametrize("windows", range(1, WINDOWS))
async def test_only_what_was_in_the_batch_is_decoded_again(
    kept_walk: Walk, thread: FakeThread, tmp_path: Path, windows: int
) -> None:
    kept_walk.decoder.seconds["speech.mp3"] = 30.0 * WINDOWS
    whole = await kept_walk.transcribe(ALL)
    disk = await killed_after(kept_walk, windows, thread, tmp_path)
    before = work(kept_walk)
    again = await goes_on(kept_walk, disk)
    done = {who: each - before[who] for who, each in work(kept_walk).items()}
    assert done["windows"] <= WINDOWS - windows
    assert (done["languages"], done["searched_s"]) == (0, 0)
    assert again == whole
    told = [segment.text for news in kept_walk.progress for segment in news.segments]
    assert told == [segment.text for segment in whole.segments]  # all of them, in their order


async def test_a_job_that_is_over_leaves_nothing_where_nothing_is_to_be_kept(
    kept_walk: Walk, tmp_path: Path
) -> None:
    async with open_journal(tmp_path) as journal, open_sqlite_keep(journal, 0) as keep:
        kept_walk.cache = Cache(keep, NETWORKS)
        await kept_walk.transcribe(Options(), job="job")
        await keep.release("job")
        await evicted(keep)
        count = "SELECT (SELECT COUNT(*) FROM stage_entries), (SELECT COUNT(*) FROM stage_jobs)"
        assert await journal.run(lambda file: file.execute(count).fetchone()) == (0, 0)
