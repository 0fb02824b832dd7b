"""Engine and networks in trouble, under a real server: who is told what, and who notices nothing.

In one server, in this order: of crashes that are nobody's fault only three are borne in 300 s.
"""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.real import process, sounds
from tests.real.faulty import Caller, caller, restarts, up
from tests.real.rig import Rig, Trouble, rigged, serving_fake

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(180)]

HEALTHY = {
    "status": "healthy",
    "reason": None,
    "device": "cpu",
    "serve_mode": "simple",
    "loaded_models": ["base"],
    "degraded": [],
}

WORDS_AND_SPEAKERS = "output=json&word_timestamps=true&diarize=true"


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Rig:
    return Rig(tmp_path_factory.mktemp("rig"))


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, rig: Rig) -> Iterator[process.Server]:
    with serving_fake(environment, log, rig, ASR_DRAIN_S="5") as server:
        yield server


@pytest.fixture
async def asking(server: process.Server) -> AsyncIterator[Caller]:
    async with caller(server) as asking:
        yield asking


async def test_memory_that_runs_out_is_noticed_by_nobody(asking: Caller, rig: Rig) -> None:
    before = await asking.count(restarts("gpu"))
    rig.order("engine.advance", "torn")
    answer = await asking.ask("output=txt&language=en", file=sounds.AUSTEN)  # of two windows
    assert answer.text == "word\nword\n"
    assert await asking.count(restarts("gpu")) == before
    assert await asking.health() == (200, HEALTHY)


async def test_a_request_that_never_fits_hears_so_and_the_next_is_served(
    asking: Caller, rig: Rig
) -> None:
    rig.order("engine.advance", "torn", always=True)
    answer = await asking.ask()
    rig.lift("engine.advance")
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, None)
    assert "no room for this request" in answer.json()["detail"]
    assert (await asking.ask()).text == "word\n"


async def test_audio_that_crashes_the_engine_twice_is_refused_and_costs_nobody_else(
    asking: Caller, rig: Rig
) -> None:
    before = await asking.count(restarts("gpu"))
    refused: list[httpx.Response] = []

    async def ask_poisonous() -> None:
        refused.append(await asking.client.post("/v1/audio/transcriptions", files=form))

    form = process.upload(sounds.JFK, field="file")
    rig.order("engine.advance", "crash")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask_poisonous)
        await asking.until_count(restarts("gpu"), before + 1)
        rig.order("engine.advance", "crash")  # the suspect goes first, and alone
        answers = await asking.ask_beside(3)
    assert [answer.text for answer in answers] == ["word\n"] * 3
    assert refused[0].status_code == 500
    error = refused[0].json()["error"]
    assert (error["code"], error["type"]) == ("engine_crashed", "server_error")
    assert await asking.count(restarts("gpu")) == before + 2
    assert await asking.health() == (200, HEALTHY)


@pytest.mark.parametrize("call", ["check", "admit", "detect"])
async def test_a_crash_of_the_engine_is_counted_and_noticed_by_nobody(
    asking: Caller, rig: Rig, call: str
) -> None:
    before = await asking.count(restarts("gpu"))
    rig.order(f"engine.{call}", "crash")
    answers = await asking.ask_beside(4)
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "word\n")] * 4
    assert await asking.count(restarts("gpu")) == before + 1
    assert (await asking.health(), await asking.count(up("gpu"))) == ((200, HEALTHY), 1)


@pytest.mark.parametrize("call", ["begin", "advance"])
async def test_a_crash_of_the_listener_costs_one_request_which_can_be_sent_again(
    asking: Caller, rig: Rig, call: str
) -> None:
    before = await asking.count(restarts("listener"))
    rig.order(f"finder.{call}", "crash")
    answers = await asking.ask_beside(4)
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 503]
    (refused,) = (answer for answer in answers if answer.status_code == 503)
    assert refused.headers["Retry-After"] == "1"
    assert await asking.count(restarts("listener")) == before + 1
    assert (await asking.ask()).text == "word\n"
    assert await asking.health() == (200, HEALTHY)


@pytest.mark.parametrize(
    ("who", "trouble", "warning"),
    [
        ("diarizer", "crash", "speakers were skipped: the diarizer crashed over this request"),
        ("diarizer", "torn", "speakers were skipped: The machine's memory has no room"),
        ("aligner", "crash", "attention: the aligner crashed over this request"),
        ("aligner", "torn", "attention: The machine's memory has no room"),
    ],
)
async def test_speakers_and_words_never_cost_the_transcript(
    asking: Caller, rig: Rig, who: str, trouble: Trouble, warning: str
) -> None:
    before = await asking.count(restarts(who))
    rig.order(f"{who}.advance", trouble)
    answer = await asking.ask(WORDS_AND_SPEAKERS)
    (said,) = answer.json()["warnings"]
    assert (answer.status_code, answer.json()["text"]) == (200, "word")
    assert warning in said
    assert await asking.count(restarts(who)) == before + (trouble == "crash")
    await asking.until_count(up(who), 1)
    assert not (await asking.ask(WORDS_AND_SPEAKERS)).json().get("warnings")
    assert await asking.health() == (200, HEALTHY)


async def test_an_engine_that_goes_on_crashing_ends_the_process(
    asking: Caller, rig: Rig, server: process.Server
) -> None:
    answers: list[httpx.Response] = []
    with trio.fail_after(30):
        while not answers or answers[-1].status_code == 200:
            rig.order("engine.admit", "crash")
            answers.append(await asking.ask())
    assert len(answers) <= 4
    assert (answers[-1].status_code, answers[-1].headers["Retry-After"]) == (503, "1")
    assert await trio.to_thread.run_sync(server.exit_code) == 70
    assert server.scratch() == []


async def test_what_a_killed_server_leaves_on_the_disk_is_swept_by_the_next(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    program = rigged(rig, engine="fake")
    with log.open("ab") as stderr:
        with process.serving(environment, stderr, program) as server:
            rig.order("engine.advance", "kill")
            async with caller(server) as asking:
                with pytest.raises(httpx.TransportError):
                    await asking.ask()
            assert await trio.to_thread.run_sync(server.exit_code) == -signal.SIGKILL
            assert server.scratch() != []
        with process.serving(environment, stderr, program) as server:
            assert server.scratch() == []


async def test_a_second_server_at_one_folder_of_jobs_goes_on_without_them(
    environment: dict[str, str], log: Path, rig: Rig, tmp_path: Path
) -> None:
    jobs = {"ASR_JOBS_DIR": str(tmp_path / "jobs")}
    one = partial(serving_fake, environment, log, rig, **jobs)
    missing = []
    with one() as first, one() as second:
        for server in (first, second):
            async with caller(server) as asking:
                assert (await asking.ask()).text == "word\n"
                missing.append((await asking.health())[1]["degraded"])
    assert missing == [[], ["jobs"]]
