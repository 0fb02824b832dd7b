"""Threads that hang under a real server: what goes on without them, and how the process ends."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import trio

from asr.actors.alignment import ATTENTION
from tests.real import process
from tests.real.faulty import Caller, caller, up
from tests.real.rig import rigged

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    import httpx

    from tests.real.rig import Rig

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

HUNG = 71

SPEAKERS = "speakers were skipped: the diarizer"


@pytest.fixture
def serving(
    environment: dict[str, str], log: Path, rig: Rig
) -> Iterator[AbstractContextManager[process.Server]]:
    """A server, not started yet, that has two seconds of patience with its threads."""
    with log.open("ab") as stderr:
        program = rigged(rig, engine="fake")
        yield process.serving(environment, stderr, program, ASR_HANG_S="2", ASR_DRAIN_S="10")


async def test_without_speakers_and_words_the_house_goes_on_until_the_engine_hangs_too(
    serving: AbstractContextManager[process.Server], rig: Rig
) -> None:
    with serving as server:
        async with caller(server) as asking:
            await without(asking, rig, "diarizer", SPEAKERS)
            await without(asking, rig, "aligner", f"{ATTENTION}: the aligner")
            status, health = await asking.health()
            assert (status, health["status"], health["reason"]) == (200, "healthy", None)
            assert health["degraded"] == ["diarizer", "aligner"]
            assert [await asking.count(up(who)) for who in ("diarizer", "gpu")] == [0, 1]
            await hang(asking, rig, "engine.advance", "the gpu actor hangs")
        assert await trio.to_thread.run_sync(server.exit_code) == HUNG
        assert server.scratch() == []


async def without(asking: Caller, rig: Rig, who: str, warning: str) -> None:
    """Have a thread hang that can be done without."""
    rig.order(f"{who}.advance", "hold")
    query = "output=json&word_timestamps=true&diarize=true"
    for _ in ("who waits for it", "who comes later"):
        answer = await asking.ask(query)
        assert (answer.status_code, answer.json()["text"]) == (200, "word")
        assert f"{warning} is out of order" in answer.json()["warnings"]


async def hang(asking: Caller, rig: Rig, call: str, reason: str) -> None:
    """Have a thread hang that nothing works without, and see that everybody is told."""
    rig.order(call, "hold")
    answers: list[httpx.Response] = []
    told: list[tuple[int, str, str]] = []

    async def watch() -> None:
        async def unwell() -> bool:
            status, health = await asking.health()
            if status != 200:
                told.append((status, health["status"], health["reason"]))
            return status != 200

        await process.until(unwell)

    async with trio.open_nursery() as slow:
        slow.start_soon(asking.upload_half)
        await asking.until_count("asr_uploads", 1)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch)
            answers += await asking.ask_beside(3)
        slow.cancel_scope.cancel()
    said = [(answer.status_code, answer.headers["Retry-After"]) for answer in answers]
    assert said == [(503, "1")] * 3
    assert told == [(503, "unhealthy", reason)]


async def test_a_thread_that_hangs_and_is_not_needed_does_not_keep_the_process_from_its_end(
    serving: AbstractContextManager[process.Server], rig: Rig
) -> None:
    with serving as server:
        async with caller(server) as asking:
            await without(asking, rig, "diarizer", SPEAKERS)
        server.signal(signal.SIGTERM)
        assert await trio.to_thread.run_sync(server.exit_code) == 0
