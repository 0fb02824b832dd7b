"""The API's description says what is true of paths that take no audio, and of keys."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from asr.http.app import create_app
from asr.http.reference.document import openapi
from asr.http.reference.examples import to_format
from asr.pipeline.formats import FILES
from tests.http.fakes import as_house
from tests.http.promises import Promises

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

TOLD = [
    *("/", "/health", "/queue-metrics", "/metrics"),
    *("/v1/models", "/v1/models/whisper-1", "/v1/models/org/name", "/api/ps"),
]


async def test_who_shows_no_key_is_answered_as_described(
    house: FakeHouse, settings: HttpSettings
) -> None:
    locked = replace(settings, api_keys=SecretStr("secret"))
    client = create_app(as_house(house), locked).test_client()
    promises = Promises(openapi("1", keyed=True))
    for path, method, operation in promises.operations():
        address = path.format(name="base", id="base", model="base", job_id="none")
        answer = await partial(getattr(client, method), address)()
        is_open = operation.get("security") == []
        assert (answer.status_code == 401) != is_open, path
        await promises.check_answer(method, address, answer)


@pytest.mark.parametrize("path", TOLD)
async def test_what_only_tells_something_answers_as_described(
    client: TestClientProtocol, house: FakeHouse, promises: Promises, path: str
) -> None:
    for why in (None, "it burns"):
        house.why_broken = why
        answer = await client.get(path)
        assert answer.status_code == (503 if why and path == "/health" else 200)
        await promises.check_answer("GET", path, answer)


async def test_a_model_that_is_not_there_is_answered_as_described(
    client: TestClientProtocol, promises: Promises
) -> None:
    answer = await client.get("/v1/models/none")
    assert answer.status_code == 404
    await promises.check_answer("GET", "/v1/models/none", answer)


@pytest.mark.parametrize(
    ("method", "name", "status"),
    [
        *(("post", "org/name", 201), ("post", "base", 200), ("post", "none", 400)),
        *(("delete", "base", 200), ("delete", "org/name", 404), ("delete", "none", 400)),
    ],
)
async def test_models_come_and_go_as_described(
    client: TestClientProtocol, promises: Promises, method: str, name: str, status: int
) -> None:
    answer = await getattr(client, method)(f"/api/ps/{name}")
    assert answer.status_code == status
    await promises.check_answer(method, f"/api/ps/{name}", answer)


@pytest.mark.parametrize("format", [*FILES, "json", "verbose_json", "pdf"])
async def test_formats_are_as_described(
    client: TestClientProtocol, promises: Promises, format: str
) -> None:
    asked = to_format()
    answer = await client.post("/v1/format", json={**asked, "format": format, "best_of": 5})
    assert answer.status_code == (400 if format == "pdf" else 200)
    await promises.check_answer("POST", "/v1/format", answer)
