"""Keys of two kinds: one says whose a job is, the other that a request is the same one again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from asr.http.app import create_app
from asr.http.settings import HttpSettings
from asr.pipeline.errors import Busy
from tests.http.fakes import FakeHouse, as_house
from tests.http.registers import FakeRegister, as_register
from tests.http.wire import FORM_TYPE, error_of, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.promises import Promises

PATH = "/v1/jobs"
HEADERS = {"Content-Type": FORM_TYPE}


async def test_the_same_request_under_its_key_is_the_same_job(
    desk: TestClientProtocol, register: FakeRegister
) -> None:
    keyed = {**HEADERS, "Idempotency-Key": "talk-1"}
    first = await (await desk.post(PATH, data=form(), headers=keyed)).get_json()
    register.begin(first["id"])
    register.refusal = Busy("full", retry_after_s=1)  # which is nothing to what is kept already
    again = await desk.post(PATH, data=form(), headers=keyed)
    assert (again.status_code, (await again.get_json())["id"]) == (202, first["id"])
    assert len(register.orders) == 1
    register.refusal = None
    other = await desk.post(PATH, data=form(), headers={**keyed, "Idempotency-Key": "talk-2"})
    assert (await other.get_json())["id"] != first["id"]


@pytest.mark.parametrize("what", [{"audio": b"other"}, {"fields": {"language": "de"}}])
async def test_another_request_under_a_key_is_refused(
    desk: TestClientProtocol, promises: Promises, what: dict[str, Any]
) -> None:
    keyed = {**HEADERS, "Idempotency-Key": "talk-1"}
    await desk.post(PATH, data=form(), headers=keyed)
    answer = await desk.post(PATH, data=form(**what), headers=keyed)
    assert await error_of(answer) == (422, "idempotency_key_reused", "Idempotency-Key")
    await promises.check_answer("POST", PATH, answer)


@pytest.mark.parametrize("key", ["", " ", "é", "x" * 256])
async def test_a_key_that_is_none_is_refused(desk: TestClientProtocol, key: str) -> None:
    keyed = {**HEADERS, "Idempotency-Key": key}
    answer = await desk.post(PATH, data=form(), headers=keyed)
    assert await error_of(answer) == (400, None, "Idempotency-Key")


async def test_each_key_has_jobs_of_its_own(house: FakeHouse, register: FakeRegister) -> None:
    async def ask(keys: str, key: str, method: str = "GET", path: str = "", **body: Any) -> Any:
        settings = HttpSettings(api_keys=SecretStr(keys))
        app = create_app(as_house(house), settings, jobs=as_register(register))
        headers = {"Authorization": f"Bearer {key}", **body.pop("headers", {})}
        call = app.test_client().open(PATH + path, method=method, headers=headers, **body)
        return await (await call).get_json()

    keyed = {**HEADERS, "Idempotency-Key": "same"}
    first, second = [
        await ask("one,two", key, "POST", data=form(), headers=keyed) for key in ("one", "two")
    ]
    assert first["id"] != second["id"]
    assert len((await ask("one,two", "one"))["data"]) == 1
    for path in (f"/{first['id']}", f"/{first['id']}/result", f"/{first['id']}/events"):
        assert (await ask("one,two", "two", path=path))["error"]["code"] == "job_not_found"
    gone = await ask("one,two", "two", "DELETE", f"/{first['id']}")
    assert gone["error"]["code"] == "job_not_found"
    # Whoever has the key has them, wherever it stands among the others.
    assert (await ask("zero,one", "one"))["data"][0]["id"] == first["id"]
    assert (await ask("zero,one", "zero"))["data"] == []
    assert "one" not in register.standings[first["id"]].job.client
