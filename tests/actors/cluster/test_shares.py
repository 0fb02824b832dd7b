"""A file that is shared comes out as one that is not, whatever becomes of those who help."""

from __future__ import annotations

import errno
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.cluster.helper import ShareRunner
from asr.actors.cluster.packing import (
    Share,
    dump_share,
    load_share,
    pack_samples,
    unpack_samples,
)
from asr.actors.cluster.pool import LATE_S, SHARE_MAX, SHARE_MIN, Away, Pool, Question
from asr.actors.cluster.shares import SLOTS, sharing
from asr.actors.cluster.worker import InHand
from asr.actors.jobs.blobs import FolderBlobs
from asr.actors.jobs.local import open_local
from asr.actors.jobs.queue import Bounds, Stats
from asr.actors.turns import Priority
from asr.pipeline.audio import Audio
from asr.pipeline.engine import ModelFolder
from asr.pipeline.errors import EngineRestarted, InvalidRequest
from asr.pipeline.types import Decoding, Options, Progress, Span, Window
from tests.actors.cluster.town import times
from tests.actors.fakes import step
from tests.actors.home import Home

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trio.testing import MockClock

    from asr.actors.house import House
    from asr.actors.jobs.local import LocalQueue
    from asr.actors.jobs.queue import Leisure, Run
    from asr.pipeline.types import Transcript

LONG_S = 1200.0
GERMAN = Options(language="de")
NOTHING_LEFT = Stats(waiting=0, running=0, waiting_max=100)


class Pair:
    """Two houses: one has a long file, the other may help."""

    queue: LocalQueue
    house: House

    def __init__(self, folder: Path) -> None:
        self.homes = (Home(folder / "one"), Home(folder / "two"))
        self.blobs = FolderBlobs(folder / "audio", bytes_max=1 << 30)
        self.folder = folder
        for home in self.homes:
            home.folder.mkdir()
            home.script.says = times
            home.decoder.seconds["long"] = LONG_S
        self.told: list[Progress] = []

    @asynccontextmanager
    async def open(self, clock: MockClock) -> AsyncIterator[None]:
        one, two = self.homes
        async with (
            open_local(Bounds(0, 100), None) as self.queue,
            one.open(clock) as house,
            two.open(clock),
        ):
            clock.autojump_threshold = inf
            clock.rate = 1.0
            self.house = sharing(house, self.queue, self.blobs, lambda _model: 1)
            yield

    @asynccontextmanager
    async def helping(
        self,
        runner: type[ShareRunner] = ShareRunner,
        leisure: Leisure = trio.lowlevel.checkpoint,
    ) -> AsyncIterator[None]:
        at = self.homes[1].house.stations
        handler = runner(at.gpu, at.librarian, self.blobs, at.receiver)
        async with trio.open_nursery() as nursery:
            await nursery.start(partial(self.queue.work, handler, slots=SLOTS, leisure=leisure))
            yield
            nursery.cancel_scope.cancel()

    async def alone(self) -> Transcript:
        """What the helper says of the same file."""
        home = self.homes[1]
        return await home.house.transcribe(home.file("long"), GERMAN)

    async def transcribe(self) -> Transcript:
        home = self.homes[0]
        return await self.house.transcribe(home.file("long"), GERMAN, notify=self.told.append)

    async def helped(self) -> None:
        """Return when the helper is at work with all its slots."""
        while (await self.queue.stats()).running < SLOTS:
            await trio.lowlevel.checkpoint()

    async def left(self) -> tuple[Stats, int, list[str]]:
        """What is still to be done, and what still lies about."""
        files = [file for home in self.homes for file in home.scratch_files()]
        return await self.queue.stats(), await self.blobs.used_bytes(), files


@pytest.fixture
def pair(tmp_path: Path) -> Pair:
    return Pair(tmp_path)


async def test_what_is_shared_comes_out_as_from_one_and_in_order(
    pair: Pair, mock_clock: MockClock
) -> None:
    async with pair.open(mock_clock):
        whole = await pair.alone()
        before = len(pair.homes[1].script.admitted)
        async with pair.helping():
            assert await pair.transcribe() == whole
        helped = len(pair.homes[1].script.admitted) - before
        assert len(pair.homes[0].script.admitted) + helped == 40
        assert helped > 0
        segments = [segment for progress in pair.told for segment in progress.segments]
        assert tuple(segments) == whole.segments
        assert await pair.left() == (NOTHING_LEFT, 0, [])


async def test_without_anybody_who_helps_all_is_done_here(
    pair: Pair, mock_clock: MockClock
) -> None:
    async with pair.open(mock_clock):
        whole = await pair.alone()
        assert await pair.transcribe() == whole
        assert len(pair.homes[0].script.admitted) == 40
        assert await pair.left() == (NOTHING_LEFT, 0, [])


async def test_who_has_work_of_his_own_takes_no_shares(pair: Pair, mock_clock: MockClock) -> None:
    in_hand = InHand()
    async with pair.open(mock_clock):
        whole = await pair.alone()
        before = len(pair.homes[1].script.admitted)
        with in_hand.at_work():
            async with pair.helping(leisure=in_hand.leisure):
                assert await pair.transcribe() == whole
        assert len(pair.homes[0].script.admitted) == 40
        assert len(pair.homes[1].script.admitted) == before
        assert await pair.left() == (NOTHING_LEFT, 0, [])


async def test_windows_are_shared_while_speech_is_still_looked_for(
    pair: Pair, mock_clock: MockClock
) -> None:
    done: list[Transcript] = []
    async with pair.open(mock_clock):
        whole = await pair.alone()
        one, two = pair.homes
        before = len(two.script.admitted)
        one.finder.block_s = LONG_S / 4
        one.finder.table[LONG_S] = tuple(Span(at, at + 30.0) for at in range(0, int(LONG_S), 30))
        listener = one.threads.named["listener"]
        async with pair.helping(), trio.open_nursery() as nursery:
            listener.hold()

            async def transcribe() -> None:
                done.append(await pair.transcribe())

            nursery.start_soon(transcribe)
            while one.finder.heard_s < LONG_S / 2:
                await step(listener)
            while len(two.script.admitted) == before:
                await trio.lowlevel.checkpoint()
            assert one.finder.heard_s < LONG_S
            listener.release()
    assert done == [whole]


class Failing(ShareRunner):
    """Has no engine that lasts."""

    async def __call__(self, run: Run, /) -> bytes:
        raise EngineRestarted


class Babbling(ShareRunner):
    """Says what nobody understands."""

    async def __call__(self, run: Run, /) -> bytes:
        return b"\0\0"


class Dying(ShareRunner):
    """Is at its second try, as the first worker has died of it."""

    async def __call__(self, run: Run, /) -> bytes:
        return await super().__call__(replace(run, tries=2))


@pytest.mark.parametrize("runner", [Failing, Babbling, Dying])
async def test_what_fails_elsewhere_is_done_here(
    pair: Pair, mock_clock: MockClock, runner: type[ShareRunner]
) -> None:
    async with pair.open(mock_clock):
        whole = await pair.alone()
        async with pair.helping(runner):
            assert await pair.transcribe() == whole
        assert await pair.left() == (NOTHING_LEFT, 0, [])
        if runner is Dying:
            assert len(pair.homes[0].script.admitted) == 40, "no second worker dies of a share"


class BrokenDisk(FolderBlobs):
    """Says what a folder on another machine may say at any time."""

    async def put(self, key: str, file: Path) -> None:
        raise OSError(errno.ESTALE, "stale handle")

    async def drop(self, key: str) -> None:
        raise OSError(errno.EIO, "nothing there")


async def test_where_no_share_can_be_kept_all_is_done_here(
    pair: Pair, mock_clock: MockClock
) -> None:
    async with pair.open(mock_clock):
        whole = await pair.alone()
        house = pair.homes[0].house
        blobs = BrokenDisk(pair.folder / "broken", bytes_max=1 << 30)
        pair.house = sharing(house, pair.queue, blobs, lambda _model: 1)
        async with pair.helping():
            assert await pair.transcribe() == whole
        assert len(pair.homes[0].script.admitted) == 40


async def test_what_takes_long_elsewhere_is_done_here_too(
    pair: Pair, mock_clock: MockClock
) -> None:
    """A worker that is alive and does not get on: it fetches the model, or is another's as well."""
    async with pair.open(mock_clock), trio.open_nursery() as nursery:
        whole = await pair.alone()
        pair.homes[1].gpu.hold()
        async with pair.helping():

            async def get_late() -> None:
                await pair.helped()
                mock_clock.jump(LATE_S)

            nursery.start_soon(get_late)
            assert await pair.transcribe() == whole
            assert len(pair.homes[0].script.admitted) == 40
            stats, kept_bytes, _ = await pair.left()
            assert (stats, kept_bytes) == (NOTHING_LEFT, 0)
            pair.homes[1].gpu.release()


async def test_what_goes_back_to_its_place_because_a_helper_ends_is_taken_back(
    pair: Pair, mock_clock: MockClock
) -> None:
    done: list[Transcript] = []
    async with pair.open(mock_clock), trio.open_nursery() as nursery:
        whole = await pair.alone()
        for home in pair.homes:
            home.gpu.hold()
        async with pair.helping():

            async def transcribe() -> None:
                done.append(await pair.transcribe())

            nursery.start_soon(transcribe)
            await pair.helped()
            pair.homes[0].gpu.release()
        pair.homes[1].gpu.release()
    assert done == [whole]


async def test_who_leaves_takes_its_shares_back(
    pair: Pair, nursery: trio.Nursery, mock_clock: MockClock
) -> None:
    async with pair.open(mock_clock):
        for home in pair.homes:
            home.gpu.hold()
        async with pair.helping():
            with trio.CancelScope() as scope:

                async def leave() -> None:
                    await pair.helped()
                    scope.cancel()

                nursery.start_soon(leave)
                await pair.transcribe()
            assert scope.cancelled_caught
            stats, kept_bytes, _ = await pair.left()
            assert (stats, kept_bytes) == (NOTHING_LEFT, 0)
            for home in pair.homes:
                home.gpu.release()


async def test_what_goes_wrong_here_is_raised_as_it_is(pair: Pair, mock_clock: MockClock) -> None:
    async with pair.open(mock_clock):
        with pytest.raises(InvalidRequest):
            await pair.house.transcribe(pair.homes[0].file("long"), Options(language="xx"))
        stats, kept_bytes, _ = await pair.left()
        assert (stats, kept_bytes) == (NOTHING_LEFT, 0)


def asked(windows: tuple[Window, ...]) -> Question:
    model = ModelFolder("base", Path("nowhere"))
    return Question(model, windows, Decoding("de"), Priority.BATCH, lambda _heard: None, None)


def test_shares_are_the_smaller_the_less_is_left() -> None:
    pool, audio = Pool(lanes=4), Audio(Path("never-read"), 0)
    windows = tuple(Window(audio, at, at + 1) for at in range(400))
    pool.add(asked(windows))
    sizes: list[int] = []
    while part := pool.take():
        assert part.windows == windows[sum(sizes) : sum(sizes) + len(part.places)]
        sizes.append(len(part.places))
    assert sizes[0] == SHARE_MAX
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes[-4:-1]) == {SHARE_MIN}
    assert sum(sizes) == 400


async def test_what_nobody_asks_any_more_is_not_taken_again() -> None:
    pool, audio = Pool(lanes=1), Audio(Path("never-read"), 0)
    windows = tuple(Window(audio, at, at + 1) for at in range(4))
    one, other = asked(windows), asked(windows)
    pool.add(one)
    part = pool.take()
    assert part is not None
    with one.work() as waiting:
        away = Away(part, waiting)
        pool.away.add(away)
        pool.drop(one)
        assert waiting.cancel_called
    pool.give_back(away)
    assert pool.take() is None
    pool.add(other)
    assert (taken := pool.take()) is not None
    assert taken.question is other


def test_samples_are_where_the_windows_look_for_them(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.write_bytes(bytes(range(250)) * 6400)  # 50 s
    audio = Audio(whole, 800_000)
    windows = [Window(audio, 0.3, 10.0001), Window(audio, 20.00003, 31.5), Window(audio, 49, 50.2)]
    pack_samples(windows, tmp_path / "packed")
    assert (tmp_path / "packed").stat().st_size < 0.5 * whole.stat().st_size
    spans = tuple((window.start_s, window.end_s) for window in windows)
    share = Share("base", Decoding("de", prompt="a"), audio.samples, spans, "request")
    assert load_share(dump_share(share)) == share
    again = load_share(dump_share(share)).of(tmp_path / "again")
    unpack_samples(tmp_path / "packed", again)
    for one, other in zip(windows, again, strict=True):
        heard = one.audio.read(one.start_s, one.end_s)
        assert (heard == other.audio.read(other.start_s, other.end_s)).all()


@pytest.mark.parametrize("work", ['{"version": 2}', "{}", "[]", "3"])
def test_a_share_of_another_version_is_not_understood(work: str) -> None:
    with pytest.raises(ValueError, match="version"):
        load_share(work)
