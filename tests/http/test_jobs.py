"""Jobs are made, shown, listed and ended, each by who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from asr.actors.jobs.queue import ClientBusy, Poison, QueueUnavailable
from asr.actors.jobs.settings import JobSettings
from asr.actors.turns import Priority
from asr.pipeline.errors import Busy
from tests.http.registers import BEGAN_S, FakeRegister
from tests.http.wire import AUDIO, FORM_TYPE, JOBS, error_of, form, made, submitted

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse
    from tests.http.promises import Promises

HEADERS = {"Content-Type": FORM_TYPE}


async def test_a_job_is_kept_and_shown_where_the_answer_says(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    answer = await desk.post(JOBS, data=form({"language": "de"}), headers=HEADERS)
    await promises.check_answer("POST", JOBS, answer)
    job = await answer.get_json()
    shown = await desk.get(answer.headers["Location"])
    assert job == await shown.get_json()
    assert answer.headers["Location"] == f"{JOBS}/{job['id']}"
    assert job == {
        **{"id": job["id"], "object": "job", "state": "queued", "created_at": BEGAN_S},
        **{"started_at": None, "ended_at": None, "expires_at": None, "place": 1, "tries": 0},
        **{"done_s": 0.0, "audio_s": None, "left_s": None, "language": "de", "model": "base"},
        **{"task": "transcribe", "file_name": "talk.mp3", "diarize": False},
        **{"priority": "batch", "stages": {}, "warnings": [], "error": None},
    }
    assert register.audio == {job["id"]: AUDIO}


async def test_the_file_may_have_the_name_that_either_dialect_gives_it(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    body = form({}, file_field="audio_file")
    assert (await desk.post(JOBS, data=body, headers=HEADERS)).status_code == 202
    body = form({}, file_field="film")
    refused = await desk.post(JOBS, data=body, headers=HEADERS)
    assert (refused.status_code, len(register.orders)) == (400, 1)


async def test_what_a_url_names_is_a_jobs_audio_too(
    desk: TestClientProtocol, house: FakeHouse, register: FakeRegister
) -> None:
    house.fetcher.web["https://example.org/a.mp3"] = b"sound"
    answer = await desk.post(JOBS, form={"url": "https://example.org/a.mp3"})
    job = await answer.get_json()
    assert (job["file_name"], register.audio[job["id"]]) == ("a.mp3", b"sound")


async def test_a_job_shows_how_it_gets_on(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    job_id = await made(desk)
    where = f"{JOBS}/{job_id}"
    register.begin(job_id)
    register.tell(
        job_id,
        "progress",
        state="transcribing",
        place=None,
        done_s=12.5,
        audio_s=60.0,
        left_s=9.1,
    )
    answer = await desk.get(where)
    await promises.check_answer("GET", where, answer)
    runs = await answer.get_json()
    assert (runs["state"], runs["place"], runs["tries"]) == ("running", None, 1)
    assert (runs["done_s"], runs["audio_s"], runs["left_s"]) == (12.5, 60.0, 9.1)
    assert runs["started_at"] == BEGAN_S + 100
    register.tell(
        job_id,
        "progress",
        state="finished",
        done_s=60.0,
        audio_s=60.0,
        left_s=0.0,
        language="fr",
        stages={"decode": 3.2},
        warnings=["something"],
    )
    register.end(job_id, "done")
    done = await (await desk.get(where)).get_json()
    assert (done["language"], done["stages"]) == ("fr", {"decode": 3.2})
    assert (done["warnings"], done["left_s"]) == (["something"], None)
    assert done["expires_at"] - done["ended_at"] == 3600.0


async def test_a_job_that_failed_says_why(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    job_id = await made(desk)
    register.end(job_id, "failed", Poison())
    answer = await desk.get(f"{JOBS}/{job_id}")
    await promises.check_answer("GET", f"{JOBS}/x", answer)
    error = (await answer.get_json())["error"]
    assert (error["type"], error["code"]) == ("server_error", "job_crashed")


@pytest.mark.parametrize("method", ["get", "delete"])
@pytest.mark.parametrize("path", ["none", "a b", "é", "x" * 300])
async def test_an_unknown_job_is_not_found(
    desk: TestClientProtocol, promises: Promises, method: str, path: str
) -> None:
    answer = await getattr(desk, method)(f"{JOBS}/{path}")
    assert await error_of(answer) == (404, "job_not_found", None)
    await promises.check_answer(method.upper(), f"{JOBS}/x", answer)


async def test_who_ends_a_job_has_it_cancelled_and_then_deleted(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    where = f"{JOBS}/{await made(desk)}"
    cancelled = await desk.delete(where)
    await promises.check_answer("DELETE", where, cancelled)
    assert (await cancelled.get_json())["state"] == "cancelled"
    assert (await (await desk.get(where)).get_json())["state"] == "cancelled"
    deleted = await desk.delete(where)
    await promises.check_answer("DELETE", where, deleted)
    assert (await deleted.get_json())["deleted"] is True
    assert (await error_of(await desk.get(where)))[0] == 404
    assert register.standings == {}


async def test_who_only_cancels_deletes_nothing(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    where = f"{JOBS}/{await made(desk)}"
    for _ in range(2):  # the second one finds it ended
        answer = await desk.delete(f"{where}?only=cancel")
        await promises.check_answer("DELETE", where, answer)
        assert (await answer.get_json())["state"] == "cancelled"
    done = await made(desk)
    register.end(done, "done")
    answer = await desk.delete(f"{JOBS}/{done}?only=cancel")
    assert (await answer.get_json())["state"] == "done"
    assert (await desk.get(f"{JOBS}/{done}/result")).status_code == 200


async def test_a_job_is_not_ended_in_a_way_that_is_not_known(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    job_id = await made(desk)
    answer = await desk.delete(f"{JOBS}/{job_id}?only=delete")
    await promises.check_answer("DELETE", f"{JOBS}/{job_id}", answer)
    assert await error_of(answer) == (400, None, "only")
    assert register.standings[job_id].state == "queued"


async def test_who_misspells_what_keeps_a_job_does_not_delete_it(
    desk: TestClientProtocol, register: FakeRegister, promises: Promises
) -> None:
    job_id = await made(desk)
    register.end(job_id, "done")
    answer = await desk.delete(f"{JOBS}/{job_id}?Only=cancel")
    await promises.check_answer("DELETE", f"{JOBS}/{job_id}", answer)
    assert await error_of(answer) == (400, None, "Only")
    assert register.standings[job_id].state == "done"


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        (Busy("full", retry_after_s=9), (503, "busy", None)),
        (ClientBusy(9), (429, "client_busy", None)),
        (QueueUnavailable(), (503, "queue_unavailable", None)),
    ],
)
async def test_what_cannot_be_kept_is_refused_before_its_body(
    desk: TestClientProtocol,
    house: FakeHouse,
    register: FakeRegister,
    promises: Promises,
    refusal: Busy,
    told: tuple[int, str, None],
) -> None:
    register.refusal = refusal
    answer = await desk.post(JOBS, data=form(), headers=HEADERS)
    assert await error_of(answer) == told
    assert answer.headers["Retry-After"] in ("9", "10")
    assert house.receiver.uploads == 0
    await promises.check_answer("POST", JOBS, answer)


@pytest.mark.parametrize("path", ["", "/x", "/x/result", "/x/events"])
async def test_a_server_without_jobs_says_so(
    client: TestClientProtocol, promises: Promises, path: str
) -> None:
    answer = await client.get(JOBS + path)
    assert await error_of(answer) == (503, "no_jobs", None)
    await promises.check_answer("GET", JOBS + path, answer)
    refused = await client.post(JOBS, data=form(), headers=HEADERS)
    assert (await error_of(refused))[1] == "no_jobs"


async def test_who_waits_has_a_job_that_goes_first(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    job = await submitted(desk, priority="interactive")
    assert job["priority"] == "interactive"
    assert register.standings[job["id"]].job.priority is Priority.INTERACTIVE


async def test_a_webhook_goes_with_its_job_where_there_is_a_secret(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    body = form({"webhook_url": "https://example.org/told"})
    refused = await desk.post(JOBS, data=body, headers=HEADERS)
    assert await error_of(refused) == (400, None, "webhook_url")
    register.settings = JobSettings(
        webhook_secret=SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    )
    job = await submitted(desk, webhook_url="https://example.org/told")
    assert register.standings[job["id"]].job.webhook == "https://example.org/told"
