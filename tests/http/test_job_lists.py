"""Lists of jobs: page by page, of a state, and what they refuse."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from asr.http import job_parameters
from tests.http.wire import JOBS, error_of, made

if TYPE_CHECKING:
    from collections.abc import Sequence

    from quart.typing import TestClientProtocol

    from asr.actors.jobs.queue import Standing
    from tests.http.promises import Promises
    from tests.http.registers import FakeRegister


async def test_jobs_are_listed_the_newest_first_page_by_page(
    desk: TestClientProtocol, promises: Promises
) -> None:
    jobs = [await made(desk) for _ in range(5)]
    answer = await desk.get(f"{JOBS}?limit=2")
    await promises.check_answer("GET", JOBS, answer)
    seen: list[str] = []
    after, more = "", True
    while more:
        page = await (await desk.get(f"{JOBS}?limit=2&after={after}")).get_json()
        seen += [job["id"] for job in page["data"]]
        after, more = seen[-1], page["has_more"]
    assert seen == jobs[::-1]


async def test_jobs_are_listed_by_their_state(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    jobs = [await made(desk) for _ in range(6)]
    register.end(jobs[0], "done")
    register.end(jobs[1], "done")
    register.begin(jobs[4])
    page = await (await desk.get(f"{JOBS}?state=done&limit=1")).get_json()
    assert ([job["id"] for job in page["data"]], page["has_more"]) == ([jobs[1]], True)
    page = await (await desk.get(f"{JOBS}?state=done&state[]=running")).get_json()
    ids = [job["id"] for job in page["data"]]
    assert (ids, page["has_more"]) == ([jobs[4], jobs[1], jobs[0]], False)


async def test_a_list_outlives_the_job_that_it_has_come_to(
    desk: TestClientProtocol, register: FakeRegister, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_parameters, "PAGE_MAX", 2)
    jobs = [await made(desk) for _ in range(5)]
    for job_id in jobs[:2]:
        register.end(job_id, "done")
    listed, deleted = register.list, list[str]()

    async def while_it_is_deleted(**asked: Any) -> Sequence[Standing]:
        page = await listed(**asked)
        if not deleted:
            deleted.append(page[-1].job.id)
            del register.standings[deleted[0]]
        return page

    monkeypatch.setattr(register, "list", while_it_is_deleted)
    page = await (await desk.get(f"{JOBS}?state=done")).get_json()
    assert ([job["id"] for job in page["data"]], deleted) == (jobs[1::-1], [jobs[3]])


async def test_a_list_names_what_it_does_not_know(
    desk: TestClientProtocol, promises: Promises
) -> None:
    answer = await desk.get(f"{JOBS}?status=done")
    await promises.check_answer("GET", JOBS, answer)
    assert json.loads(answer.headers["Asr-Warnings"]) == [
        "the parameter 'status' is not known here"
    ]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "state=over"])
async def test_a_list_that_cannot_be_is_refused_by_its_field(
    desk: TestClientProtocol, query: str
) -> None:
    status, _, param = await error_of(await desk.get(f"{JOBS}?{query}"))
    assert (status, param) == (400, query.partition("=")[0])
