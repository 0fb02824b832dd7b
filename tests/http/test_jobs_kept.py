"""The way of a job through the front desk, the register and the queue, all of them real."""

from __future__ import annotations

from base64 import b64encode
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import trio

from asr.actors.jobs.office import Crew, open_jobs
from asr.actors.jobs.runner import JobRunner
from asr.http.app import create_app
from asr.http.reference.document import openapi
from tests.actors.jobs.orders import FakeHouse as Workers
from tests.actors.jobs.orders import audio, open_register
from tests.http.fakes import as_house
from tests.http.promises import Promises, events
from tests.http.wire import FORM_TYPE, form

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

PATH = "/v1/jobs"
HEADERS = {"Content-Type": FORM_TYPE}
BODY = form({"language": "en", "colour": "red"}, audio=b"x")


@asynccontextmanager
async def open_desk(
    house: FakeHouse, settings: HttpSettings, folder: Path, workers: Workers
) -> AsyncIterator[TestClientProtocol]:
    """A front desk and its jobs, which are done by workers of whom a test knows."""
    async with open_register(folder) as register:
        runner = JobRunner(workers.as_house(), register.blobs, register.keep, 60.0)
        async with open_jobs(register, Crew(runner, slots=1)):
            yield create_app(as_house(house), settings, jobs=register).test_client()


async def until(desk: TestClientProtocol, where: str, state: str) -> Any:
    """The job, once it stands so."""
    with trio.fail_after(10):
        while (job := await (await desk.get(where)).get_json())["state"] != state:
            await trio.testing.wait_all_tasks_blocked(0.01)
    return job


async def test_a_job_is_done_told_read_and_forgotten(
    house: FakeHouse, settings: HttpSettings, tmp_path: Path
) -> None:
    workers, promises = Workers(), Promises(openapi("1", keyed=False))
    async with open_desk(house, settings, tmp_path, workers) as desk:
        made = await desk.post(PATH, data=BODY, headers=HEADERS)
        await promises.check_answer("POST", PATH, made)
        where = made.headers["Location"]
        told = await desk.get(f"{where}/events")
        await promises.check_answer("GET", f"{where}/events", told)
        kinds = [event["event"] for event in events(await told.get_data(as_text=True))]
        assert [kind for kind in kinds if kind != "progress"] == [
            *("started", "waveform", "segment", "segment", "segment", "done")
        ]
        shown = await desk.get(where)
        await promises.check_answer("GET", where, shown)
        job = await shown.get_json()
        assert (job["state"], job["audio_s"], job["language"]) == ("done", 3.0, "en")
        assert job["warnings"] == ["the parameter 'colour' is not known here"]
        listed = await desk.get(PATH)
        await promises.check_answer("GET", PATH, listed)
        assert (await listed.get_json())["data"] == [job]
        result = await desk.get(f"{where}/result?format=txt")
        assert await result.get_data(as_text=True) == "word 0\nword 1\nword 2\n"
        assert (await desk.delete(where)).status_code == 200
        assert (await desk.get(where)).status_code == 404
        assert (await (await desk.get(PATH)).get_json())["data"] == []
    assert workers.heard == [b"x"]


async def test_a_job_that_runs_is_cancelled_with_its_work(
    house: FakeHouse, settings: HttpSettings, tmp_path: Path
) -> None:
    workers = Workers(gate=trio.Event())
    async with open_desk(house, settings, tmp_path, workers) as desk:
        made = await desk.post(PATH, data=BODY, headers=HEADERS)
        waits = await desk.post(PATH, data=BODY, headers=HEADERS)
        where, behind = made.headers["Location"], waits.headers["Location"]
        assert (await until(desk, where, "running"))["warnings"] == [
            "the parameter 'colour' is not known here"
        ]
        assert (await until(desk, behind, "queued"))["place"] == 1
        assert (await desk.get(f"{where}/result")).status_code == 409
        cancelled = await (await desk.delete(where)).get_json()
        assert (cancelled["state"], cancelled["error"]) == ("cancelled", None)
        await until(desk, behind, "running")  # its place is free at once
        assert len(audio(tmp_path)) == 1  # and its audio gone
        page = await (await desk.get(f"{PATH}?state=cancelled")).get_json()
        assert [job["state"] for job in page["data"]] == ["cancelled"]


async def test_a_list_goes_on_from_no_job_that_nobody_knows(
    house: FakeHouse, settings: HttpSettings, tmp_path: Path
) -> None:
    async with open_desk(house, settings, tmp_path, Workers()) as desk:
        answer = await desk.get(f"{PATH}?after=none")
        assert answer.status_code == 404
        await Promises(openapi("1", keyed=False)).check_answer("GET", PATH, answer)


async def test_a_job_with_more_voices_than_a_queue_should_hold_is_refused(
    house: FakeHouse, settings: HttpSettings, tmp_path: Path
) -> None:
    voice = f"data:audio/wav;base64,{b64encode(bytes(800_000)).decode()}"
    known = {"diarize": "true", "known_speaker_names[]": "Ada"}
    body = form({**known, "known_speaker_references[]": voice}, audio=b"x")
    async with open_desk(house, settings, tmp_path, Workers()) as desk:
        answer = await desk.post(PATH, data=body, headers=HEADERS)
    error = (await answer.get_json())["error"]
    assert (answer.status_code, error["param"]) == (400, "known_speaker_references")
    assert audio(tmp_path) == []
