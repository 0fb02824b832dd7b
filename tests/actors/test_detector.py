from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.house import DETECTIONS_MAX
from asr.pipeline.errors import DeadlineExceeded, UnknownModel
from asr.pipeline.types import Detected, Span
from tests.actors.home import Home
from tests.actors.walk import Walk


async def test_the_language_is_that_of_the_first_speech(walk: Walk) -> None:
    walk.finder.table[60.0] = (Span(20.0, 50.0), Span(55.0, 60.0))
    assert await walk.detect() == Detected("de", 0.9)
    # The windows of the first scratch file are called after it, and when they start.
    assert walk.script.record == ["load base", "detect 120"]
    assert walk.scratch_files() == []


async def test_the_first_ten_minutes_are_read_and_heard_until_somebody_has_spoken(
    walk: Walk,
) -> None:
    walk.decoder.seconds["speech.mp3"] = 600.0
    walk.finder.block_s = 60.0
    walk.finder.table[600.0] = tuple(Span(start, start + 25) for start in range(200, 600, 30))
    assert await walk.detect() == Detected("de", 0.9)
    assert walk.script.record[-1] == "detect 1200"
    assert [wanted.first_s for wanted in walk.decoder.wanted] == [600.0]
    assert walk.finder.heard_s <= 360.0  # until 300 s, and the block that was under way


@pytest.mark.parametrize("seconds", [0.5, 45.0])
async def test_silence_is_a_guess_of_low_probability(walk: Walk, seconds: float) -> None:
    walk.decoder.seconds["speech.mp3"] = seconds
    walk.finder.table[seconds] = ()
    assert await walk.detect() == Detected("de", 0.1)


async def test_it_needs_no_place_in_a_full_house(
    tmp_path: Path, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    home = Home(tmp_path)
    async with home.open(mock_clock) as house:
        home.decoder.hold()
        await home.come(nursery, "a", "b", "c")
        home.decoder.release()
        assert house.queue_stats().waiting == 1
        assert await house.detect_language(home.file("d")) == Detected("de", 0.9)
        await wait_all_tasks_blocked()  # the others end while there is a house


async def test_so_many_are_read_at_once_and_the_others_wait(
    tmp_path: Path, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    home = Home(tmp_path)
    async with home.open(mock_clock) as house:
        home.decoder.hold()
        for number in range(DETECTIONS_MAX + 3):
            nursery.start_soon(house.detect_language, home.file(f"{number}"))
        await wait_all_tasks_blocked()
        assert len(home.decoder.asked) == DETECTIONS_MAX
        home.decoder.release()
        await wait_all_tasks_blocked()
        assert len(home.decoder.asked) == DETECTIONS_MAX + 3


async def test_its_time_has_an_end(tmp_path: Path, autojump_clock: MockClock) -> None:
    home = Home(tmp_path)
    async with home.open(autojump_clock) as house:
        home.decoder.hold()
        with pytest.raises(DeadlineExceeded):
            await house.detect_language(home.file("a"))
    assert home.scratch_files() == []


async def test_an_unknown_model_is_refused(tmp_path: Path, autojump_clock: MockClock) -> None:
    home = Home(tmp_path)
    async with home.open(autojump_clock) as house:
        with pytest.raises(UnknownModel):
            await house.detect_language(home.file("a"), model="none-such")
