"""The API's description says what is true of paths that take no audio, and of keys."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from asr.http.app import create_app
from asr.http.reference.document import openapi
from tests.http.fakes import as_house
from tests.http.promises import Promises

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

TOLD = ["/", "/health", "/queue-metrics", "/metrics", "/v1/models", "/v1/models/org/name"]


@pytest.fixture
def promises() -> Promises:
    return Promises(openapi("1", keyed=False))


async def test_who_shows_no_key_is_answered_as_described(
    house: FakeHouse, settings: HttpSettings
) -> None:
    locked = replace(settings, api_keys=SecretStr("secret"))
    client = create_app(as_house(house), locked).test_client()
    promises = Promises(openapi("1", keyed=True))
    for path, method, operation in promises.operations():
        address = path.format(name="base", id="base")
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
