from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from asr.actors.house import DETECTIONS_MAX
from asr.pipeline.errors import DeadlineExceeded, UnknownModel
from asr.pipeline.types import Detected, Span
from tests.actors.home import Home
from tests.actors.walk import Walk

FIRST_LOOK_S, SECOND_LOOK_S = 60.0, 600.0


async def test_the_language_is_that_of_the_first_speech(walk: Walk) -> None:
    walk.finder.table[FIRST_LOOK_S] = (Span(20.0, 50.0),)
    assert await walk.detect() == Detected("de", 0.9)
    # The windows of the first scratch file are called after it, and when they start.
    assert walk.script.record == ["load base", "detect 120"]
    assert walk.scratch_files() == []


async def test_only_the_beginning_is_read_while_somebody_speaks_there(walk: Walk) -> None:
    await walk.detect()
    assert [wanted.first_s for wanted in walk.decoder.wanted] == [FIRST_LOOK_S]


@pytest.mark.parametrize("read_s", [FIRST_LOOK_S, FIRST_LOOK_S - 0.05])  # WMA ends a cut early
async def test_a_film_that_begins_with_music_is_listened_to_for_longer(
    walk: Walk, read_s: float
) -> None:
    walk.decoder.looks_s = [read_s, SECOND_LOOK_S]
    walk.finder.table = {read_s: (), SECOND_LOOK_S: (Span(300.0, 320.0),)}
    assert await walk.detect() == Detected("de", 0.9)
    assert walk.script.record[-1] == "detect 1300"
    assert [wanted.first_s for wanted in walk.decoder.wanted] == [FIRST_LOOK_S, SECOND_LOOK_S]


@pytest.mark.parametrize("seconds", [0.5, 45.0])
async def test_silence_is_a_guess_of_low_probability(walk: Walk, seconds: float) -> None:
    walk.decoder.seconds["speech.mp3"] = seconds
    walk.finder.table[seconds] = ()
    assert await walk.detect() == Detected("de", 0.1)
    assert len(walk.decoder.wanted) == 1  # there is no more of it


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
