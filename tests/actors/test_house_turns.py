from dataclasses import replace
from functools import partial
from pathlib import Path

import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.turns import Priority
from asr.pipeline.types import Options
from tests.actors.home import SETTINGS, Home


async def test_who_sits_and_waits_is_let_in_before_who_does_not(
    tmp_path: Path, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    home = Home(tmp_path)
    english = Options(language="en")
    settings = replace(SETTINGS, gpu_concurrency=1, max_queue_size=2)
    async with home.open(mock_clock, settings) as house:
        home.gpu.hold()
        await home.come(nursery, "a")
        ask = partial(house.transcribe, home.file("files"), english, priority=Priority.BATCH)
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        await home.come(nursery, "b")
        home.gpu.release()
        await wait_all_tasks_blocked()
        assert [source for source, _ in home.decoder.asked] == ["a", "b", "files"]
