"""What a front asks of others is what it would ask of a house of its own."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.cluster import errand
from asr.actors.jobs.queue import QueueUnavailable, Stats
from asr.actors.trail import Trail, begin
from asr.actors.watch import News, RequestStanding
from asr.pipeline.errors import (
    Busy,
    InvalidRequest,
    ModelUnavailable,
    UnknownModel,
    UnreadableAudio,
)
from asr.pipeline.types import Options, Progress
from asr.pipeline.waveform import Waveform
from tests.actors.cluster.town import Town

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

GERMAN = Options(language="de", words=True)


class Every(dict[str, Exception]):
    """One fault for whatever comes: workers know a file by another name."""

    def __init__(self, fault: Exception) -> None:
        super().__init__()
        self._fault = fault

    def __contains__(self, _name: object) -> bool:
        return True

    def __missing__(self, _name: str) -> Exception:
        return self._fault


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path)


async def test_the_transcript_and_all_that_is_told_on_the_way_are_those_of_one_house(
    town: Town, mock_clock: MockClock
) -> None:
    async with town.open(mock_clock) as house:
        source = town.home.file("a")
        here: list[Progress] = []
        there: list[Progress] = []
        whole = await town.home.house.transcribe(source, GERMAN, notify=here.append)
        assert await house.transcribe(source, GERMAN, notify=there.append) == whole
    assert [one.segments for one in there if one.segments] == [
        (segment,) for one in here for segment in one.segments
    ]
    assert there[0] == here[0]
    assert (there[-1].done_s, there[-1].total_s) == (here[-1].done_s, here[-1].total_s)


async def test_nothing_is_left_behind(town: Town, mock_clock: MockClock) -> None:
    released: list[int] = []

    async def release() -> None:
        released.append(await town.blobs.used_bytes())

    async with town.open(mock_clock) as house:
        await house.transcribe(town.home.file("a"), GERMAN, once_read=release)
        assert released == [1000], "the file is where workers find it"
        assert await town.blobs.used_bytes() == 0
        stats = await town.queue.stats()
        assert (stats.waiting, stats.running) == (0, 0)


async def test_who_watches_hears_where_it_stands_and_sees_the_audio(
    town: Town, mock_clock: MockClock
) -> None:
    news: list[News] = []
    async with town.open(mock_clock) as house:
        await house.transcribe(town.home.file("a"), GERMAN, watch=news.append)
    (picture,) = (each for each in news if isinstance(each, Waveform))
    assert picture.duration_s == 60.0
    states = [each.state for each in news if isinstance(each, RequestStanding)]
    assert states[-1] == "transcribing"
    assert "reading" in states


async def test_errors_are_those_of_the_house(town: Town, mock_clock: MockClock) -> None:
    async with town.open(mock_clock) as house:
        no_sound = UnreadableAudio("there is no sound in it")
        town.home.decoder.faults = Every(no_sound)
        with pytest.raises(UnreadableAudio) as raised:
            await house.transcribe(town.home.file("a"), GERMAN)
    assert raised.value.param == "file"
    assert raised.value.message == "failed to decode audio: there is no sound in it"


async def test_who_leaves_takes_the_job_back(
    town: Town, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    async with town.open(mock_clock) as house:
        town.home.gpu.hold()
        heard = trio.Event()
        with trio.CancelScope() as scope:

            async def leave() -> None:
                await heard.wait()
                scope.cancel()

            nursery.start_soon(leave)
            await house.transcribe(
                town.home.file("a"), GERMAN, notify=lambda _progress: heard.set()
            )
        assert scope.cancelled_caught
        assert await town.blobs.used_bytes() == 0
        town.home.gpu.release()
        await house.transcribe(town.home.file("b"), GERMAN)
        assert town.home.house.queue_stats().running == 0


async def test_what_cannot_be_taken_back_at_once_is_taken_back_later(
    town: Town, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with town.open(mock_clock) as house:
        real, dropped = town.blobs.drop, trio.Event()
        troubles = [OSError(errno.EIO, "no disk"), QueueUnavailable()]

        async def drop(key: str) -> None:
            if troubles:
                raise troubles.pop()
            await real(key)
            dropped.set()

        monkeypatch.setattr(town.blobs, "drop", drop)
        monkeypatch.setattr(errand, "AGAIN_S", 0.0)
        assert (await house.transcribe(town.home.file("a"), GERMAN)).language == "de"
        await dropped.wait()
        assert await town.blobs.used_bytes() == 0


async def test_a_language_is_told_and_a_model_loaded_elsewhere(
    town: Town, mock_clock: MockClock
) -> None:
    async with town.open(mock_clock) as house:
        detected = await house.detect_language(town.home.file("a"))
        assert (detected.language, detected.probability) == ("de", 0.9)
        assert await house.load("base")
        with pytest.raises(InvalidRequest, match="worker"):
            await house.unload("base")


async def test_what_is_not_served_is_not_asked_for(town: Town, mock_clock: MockClock) -> None:
    async with town.open(mock_clock, lanes=["tiny"]) as house:
        with pytest.raises(ModelUnavailable):
            await house.transcribe(town.home.file("a"), GERMAN)
        with pytest.raises(UnknownModel):
            await house.transcribe(town.home.file("a"), Options(model="huge"))


async def test_what_a_request_went_through_elsewhere_is_on_its_trail(
    town: Town, mock_clock: MockClock
) -> None:
    async with town.open(mock_clock) as house:
        with begin(trail := Trail("request-1")):
            await house.transcribe(town.home.file("a"), GERMAN)
    assert {"store", "elsewhere", "read", "vad", "decode"} <= set(trail.stages)
    assert trail.facts["worker"] == "w1"
    assert trail.facts["audio_s"] == 60.0


async def test_a_front_tells_of_the_whole(town: Town, mock_clock: MockClock) -> None:
    async with town.open(mock_clock) as house:
        assert (house.device, house.degraded, house.broken()) == ("cpu", (), None)
        stats = house.queue_stats()
        assert (stats.waiting, stats.running, stats.running_max) == (0, 0, 2)
        told = house.metrics.render()[0].decode()
        assert "asr_workers 1.0" in told
        assert "asr_worker_slots 2.0" in told
        house.view.workers = ()
        assert house.degraded == ("workers",)
        house.view.reachable = False
        assert house.degraded == ("queue",)
        with pytest.raises(Busy):
            house.refuse_if_full()
        house.view.reachable = True
        house.refuse_if_full()
        house.view.stats = Stats(waiting=30, running=2, waiting_max=31)
        house.refuse_if_full()
        house.view.stats = Stats(waiting=30, running=2, waiting_max=31, held=1)
        with pytest.raises(Busy):
            house.refuse_if_full()
