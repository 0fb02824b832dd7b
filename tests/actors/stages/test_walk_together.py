"""Requests for the same at the same time, on their walk past real actors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.turns import Priority
from asr.pipeline.audio import SAMPLE_BYTES, SAMPLE_RATE, open_samples
from asr.pipeline.errors import EngineRestarted
from asr.pipeline.types import Options, Span
from tests.actors.stages.test_walk import ALL, work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr.actors.stages.shared import Flight, Lead
    from asr.actors.stages.sqlite_keep import SqliteKeep
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import Found, Progress, Transcript
    from tests.actors.walk import Walk
    from tests.fakes import FakeThread

ONCE = {"windows": 2, "languages": 1, "searched_s": 60, "diarizations": 1, "alignments": 2}


class Callers:
    """Requests that are under way, and what they have brought."""

    def __init__(self, walk: Walk, nursery: trio.Nursery) -> None:
        self.answers: dict[str, Transcript] = {}
        self.scopes: dict[str, trio.CancelScope] = {}
        self._walk = walk
        self._nursery = nursery

    def come(self, who: str, options: Options = ALL, **asked: Priority | bool) -> None:
        self._nursery.start_soon(partial(self._ask, who, options, **asked))

    async def _ask(self, who: str, options: Options, **asked: Priority | bool) -> None:
        with trio.CancelScope() as self.scopes[who]:
            self.answers[who] = await self._walk.transcribe(options, **asked)  # type: ignore[arg-type]


@pytest.fixture
def claims(kept_walk: Walk, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that somebody has asked, by key."""
    asked: list[str] = []
    claim = kept_walk.cache.shared.claim

    def note(key: str, lead: Lead) -> tuple[Flight, bool]:
        asked.append(key)
        return claim(key, lead)

    monkeypatch.setattr(kept_walk.cache.shared, "claim", note)
    return asked


async def until(happened: Callable[[], bool]) -> None:
    """Samples are read in threads: look until something has happened."""
    with trio.fail_after(20):
        while not happened():
            await wait_all_tasks_blocked(0.001)


def followed(walk: Walk) -> bool:
    """Whether somebody waits for who works on the diarization."""
    return any(flight.watched for flight in walk.cache.shared._flights.values())


async def test_the_same_at_the_same_time_is_worked_on_once(
    kept_walk: Walk, thread: FakeThread
) -> None:
    thread.hold()
    kept_walk.diarizer_thread.hold()
    async with trio.open_nursery() as nursery:
        callers = Callers(kept_walk, nursery)
        callers.come("one")
        callers.come("two")
        await until(partial(followed, kept_walk))
        thread.release()
        kept_walk.diarizer_thread.release()
    assert work(kept_walk) == ONCE
    assert callers.answers["one"] == callers.answers["two"]
    assert len(kept_walk.cache.shared) == 0


async def test_when_who_works_leaves_who_waits_works_on(
    kept_walk: Walk, thread: FakeThread
) -> None:
    thread.hold()
    kept_walk.diarizer_thread.hold()
    async with trio.open_nursery() as nursery:
        callers = Callers(kept_walk, nursery)
        callers.come("one")
        await until(lambda: len(kept_walk.cache.shared) > 1)
        callers.come("two")
        await until(partial(followed, kept_walk))
        callers.scopes["one"].cancel()
        thread.release()
        kept_walk.diarizer_thread.release()
    assert callers.answers.keys() == {"two"}
    assert callers.answers["two"].warnings == ()
    assert work(kept_walk)["windows"] == 2
    assert len(kept_walk.cache.shared) == 0


async def search(walk: Walk, audio: Audio, heard: list[Found], blocks: int, job: str = "") -> None:
    """Have speech found, block by block, and leave after so many of them."""
    stations = replace(walk._stations, cache=walk.cache)
    async with stations.known(audio, job) as at, at.listener.find_speech(audio) as speech:
        while len(heard) < blocks and not (heard and heard[-1].done):
            heard.append(await speech.more())


@pytest.mark.parametrize("blocks", [1, 3, 6])
async def test_who_follows_a_search_has_what_it_finds_and_searches_on_when_it_is_left(
    kept_walk: Walk, thread: FakeThread, claims: list[str], tmp_path: Path, blocks: int
) -> None:
    (file := tmp_path / "samples").write_bytes(bytes(60 * SAMPLE_RATE * SAMPLE_BYTES))
    audio = open_samples(file)
    kept_walk.finder.block_s = 10.0
    spans = tuple(Span(10.0 * at + 1, 10.0 * at + 9) for at in range(6))
    kept_walk.finder.table[60.0] = spans
    first: list[Found] = []
    second: list[Found] = []
    thread.hold()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(search, kept_walk, audio, first, blocks)
        await until(lambda: len(claims) == 1)
        nursery.start_soon(search, kept_walk, audio, second, 100)
        await until(lambda: len(claims) == 2)
        thread.release()
    assert [span for found in second for span in found.spans] == [*spans]
    assert second[-1].done
    assert first == second[:blocks]
    assert kept_walk.finder.heard_s == 60.0 or blocks < 6


async def test_what_a_job_has_followed_is_its_own(
    kept_walk: Walk, keep: SqliteKeep, thread: FakeThread, claims: list[str], tmp_path: Path
) -> None:
    (file := tmp_path / "samples").write_bytes(bytes(60 * SAMPLE_RATE * SAMPLE_BYTES))
    audio = open_samples(file)
    thread.hold()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(search, kept_walk, audio, [], 100, "one")
        await until(lambda: len(claims) == 1)
        nursery.start_soon(search, kept_walk, audio, [], 100, "other")
        await until(lambda: len(claims) == 2)
        thread.release()
    await keep.drop_job("one")
    kept_walk.finder.heard_s = 0.0
    await search(kept_walk, audio, [], 100, "other")
    assert kept_walk.finder.heard_s == 0.0


async def test_who_follows_a_search_does_not_wait_for_who_reads_it_slowly(
    kept_walk: Walk, tmp_path: Path
) -> None:
    (file := tmp_path / "samples").write_bytes(bytes(60 * SAMPLE_RATE * SAMPLE_BYTES))
    kept_walk.finder.block_s = 10.0
    heard: list[Found] = []
    stations = replace(kept_walk._stations, cache=kept_walk.cache)
    audio = open_samples(file)
    async with stations.known(audio, "") as at, at.listener.find_speech(audio) as slow:
        assert not (await slow.more()).done
        with trio.fail_after(20):
            await search(kept_walk, audio, heard, 100)
        assert heard[-1].done
    assert kept_walk.finder.heard_s == 60.0


async def test_a_crash_of_the_search_reaches_who_asked_for_it(
    kept_walk: Walk, tmp_path: Path
) -> None:
    (file := tmp_path / "samples").write_bytes(bytes(SAMPLE_RATE * SAMPLE_BYTES))
    kept_walk.finder.faults.append(MemoryError())
    with pytest.raises(EngineRestarted):
        await search(kept_walk, open_samples(file), [], 100)
    assert len(kept_walk.cache.shared) == 0


class AtFirst(list["Progress"]):
    """What is told; something is to happen when the first segment is."""

    def __init__(self, then: Callable[[], None]) -> None:
        super().__init__()
        self._then = [then]

    def append(self, progress: Progress) -> None:
        super().append(progress)
        if progress.segments and self._then:
            self._then.pop()()


async def test_what_was_said_before_who_works_left_is_not_said_again(
    kept_walk: Walk, thread: FakeThread
) -> None:
    kept_walk.decoder.seconds["speech.mp3"] = 150.0  # five windows, one after the other
    await kept_walk.transcribe(Options(language="fr"))  # now it is known where somebody speaks
    before = len(kept_walk.script.admitted)
    thread.hold()
    async with trio.open_nursery() as nursery:
        callers = Callers(kept_walk, nursery)
        callers.come("one", Options(language="en"))
        await until(lambda: len(kept_walk.cache.shared) == 5)
        kept_walk.progress = AtFirst(thread.hold)
        callers.come("two", Options(language="en"))
        await until(lambda: len(kept_walk.progress) > 0)
        await wait_all_tasks_blocked(0.01)
        thread.release()
        await until(lambda: any(progress.segments for progress in kept_walk.progress))
        callers.scopes["one"].cancel()
        await until(lambda: callers.scopes["one"].cancelled_caught)
        await wait_all_tasks_blocked(0.01)
        thread.release()
    assert len(callers.answers["two"].segments) == 5
    said_twice = len(kept_walk.script.admitted) - before - 5
    assert said_twice <= 1  # what was in the batch


async def test_who_sits_and_waits_does_not_wait_for_a_batch(
    kept_walk: Walk, thread: FakeThread
) -> None:
    """Whose five minutes are in the engine's line already, behind which another batch waits."""
    lengths = kept_walk.decoder.seconds
    for lengths["speech.mp3"] in (300.0, 60.0):
        await kept_walk.transcribe(Options(language="fr"))  # now it is known where they speak
    before = len(kept_walk.script.admitted)
    thread.hold()
    async with trio.open_nursery() as nursery:
        callers = Callers(kept_walk, nursery)
        english = Options(language="en")
        lengths["speech.mp3"] = 300.0
        callers.come("long", english, priority=Priority.BATCH)
        await until(lambda: len(kept_walk.cache.shared) == 10)
        lengths["speech.mp3"] = 60.0
        callers.come("short", english, priority=Priority.BATCH)
        await until(lambda: len(kept_walk.cache.shared) == 12)
        callers.come("now", english, priority=Priority.INTERACTIVE)
        await until(lambda: sum(taken(kept_walk)) == 2)
        thread.release()
    order = [row.window.audio.duration_s for row in kept_walk.script.admitted[before:]]
    assert len(order) == 12
    assert order.index(60.0) <= 1  # after what was in the engine by then
    assert [at for at, length in enumerate(order) if length == 60.0][1] <= 2
    assert callers.answers["short"] == callers.answers["now"]


def taken(walk: Walk) -> list[bool]:
    """Of each window that is worked on, whether that is for somebody who waits."""
    return [f.lead.rank == Priority.INTERACTIVE for f in walk.cache.shared._flights.values()]


async def test_text_that_grows_is_seen_by_who_has_it_decoded_and_who_follows_hears_windows(
    kept_walk: Walk, thread: FakeThread
) -> None:
    thread.hold()
    kept_walk.diarizer_thread.hold()
    async with trio.open_nursery() as nursery:
        callers = Callers(kept_walk, nursery)
        callers.come("one", live=True)
        callers.come("two", live=True)
        await until(partial(followed, kept_walk))
        thread.release()
        kept_walk.diarizer_thread.release()
    assert callers.answers["one"] == callers.answers["two"]
    assert work(kept_walk) == ONCE
