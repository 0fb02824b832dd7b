"""Who watches a request hears where it stands; who does not, costs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import asr.actors.watch as module
from asr.actors.watch import News, RequestStanding, Watcher
from asr.pipeline.types import Options, Progress
from asr.pipeline.waveform import Waveform

if TYPE_CHECKING:
    from tests.actors.walk import Walk


def told(news: list[News]) -> list[RequestStanding]:
    return [each for each in news if isinstance(each, RequestStanding)]


async def test_each_change_is_told_once_and_the_text_goes_on_as_ever() -> None:
    news: list[News] = []
    heard: list[Progress] = []
    watcher = Watcher(news.append, heard.append)
    watcher.wait(2, None)
    watcher.wait(1, 7.0)
    watcher.read()
    watcher.begin(60.0, 0.5)
    steps = [Progress(0.0, 60.0), Progress(30.0, 60.0), Progress(30.0, 60.0), Progress(60.0, 60.0)]
    for progress in steps:
        watcher.hear(progress)
    assert heard == steps
    assert [(each.state, each.place, each.done_s, each.audio_s) for each in told(news)] == [
        ("queued", 2, 0.0, None),
        ("queued", 1, 0.0, None),
        ("reading", None, 0.0, None),
        ("transcribing", None, 0.0, 60.0),
        ("transcribing", None, 30.0, 60.0),
        ("transcribing", None, 60.0, 60.0),
    ]
    lefts = [each.left_s for each in told(news)]
    assert lefts[:3] == [None, 7.0, None]
    assert lefts[3] == pytest.approx(30.0, abs=0.5)
    assert lefts[-1] == 0.0


async def test_a_walk_is_watched_from_its_samples_to_its_end(walk: Walk) -> None:
    news: list[News] = []
    await walk.transcribe(watcher=Watcher(news.append, walk.progress.append))
    again: list[News] = []
    await walk.transcribe(watcher=Watcher(again.append, walk.progress.append))
    (picture,) = (each for each in news if isinstance(each, Waveform))
    assert picture.duration_s == 60.0
    assert [each.done_s for each in told(news)] == [0.0, 30.0, 60.0]
    assert told(news)[0].left_s is None  # the first of its kind
    assert told(again)[0].left_s is not None


async def test_the_picture_of_silence_is_not_forgotten(walk: Walk) -> None:
    walk.finder.table[60.0] = ()
    news: list[News] = []
    await walk.transcribe(Options(), watcher=Watcher(news.append, walk.progress.append))
    assert [each.peaks for each in news if isinstance(each, Waveform)] == [(0,) * 2000]


async def test_nobody_looks_at_samples_for_who_does_not_watch(
    walk: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(module, "waveform")
    assert (await walk.transcribe()).segments
