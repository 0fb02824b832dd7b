"""A file that is shared comes out as one that is not, whatever becomes of those who help."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.cluster import pool
from asr.actors.cluster.helper import ShareRunner
from asr.actors.cluster.shares import sharing
from asr.actors.cluster.worker import InHand
from asr.actors.jobs.blobs import FolderBlobs
from asr.pipeline.errors import EngineRestarted, InvalidRequest
from asr.pipeline.types import Options, Span
from tests.actors.cluster.pair import LONG_S, NOTHING_LEFT, Pair
from tests.actors.fakes import step

if TYPE_CHECKING:
    from pathlib import Path

    from trio.testing import MockClock

    from asr.actors.jobs.queue import Run
    from asr.pipeline.types import Transcript


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
    pair: Pair, mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that is alive and does not get on: it fetches the model, or is another's as well."""
    monkeypatch.setattr(pool, "LATE_S", 0.01)  # real seconds, as the blobs' threads take them
    async with pair.open(mock_clock):
        whole = await pair.alone()
        one, two = pair.homes
        one.gpu.hold()
        two.gpu.hold()

        async def go_on() -> None:  # nothing is done here before the helper has something
            await pair.helped(1)
            one.gpu.release()

        async with pair.helping():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(go_on)
                shared = await pair.transcribe()
            left = await pair.left()
            two.gpu.release()
        assert shared == whole
        assert len(one.script.admitted) == 40
        assert left[:2] == (NOTHING_LEFT, 0)


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
