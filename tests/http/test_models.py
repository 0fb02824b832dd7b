"""Which models there are, which are in memory, and how they come and go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.pipeline.errors import Busy, ModelUnavailable

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse


async def test_a_card_says_what_is_known_of_a_model_here(client: TestClientProtocol) -> None:
    answer = await (await client.get("/v1/models")).get_json()
    cards = {card["id"]: card for card in answer["data"]}
    shared = {"object": "model", "created": 1_663_718_400}
    assert cards["base"] == {
        **shared,
        "id": "base",
        "owned_by": "openai",
        "source": "embedded",
        "size_bytes": 147_000_000,
        "loaded": True,
        "loaded_bytes": 145_000_000,
        "default": True,
    }
    assert cards["org/name"] == {
        **shared,
        "id": "org/name",
        "owned_by": "org",
        "source": "hub",
        "size_bytes": None,
        "loaded": False,
        "loaded_bytes": None,
        "default": False,
    }
    alias = cards["whisper-1"]
    assert (alias["loaded"], alias["default"]) == (True, False)


async def test_what_is_in_memory_is_listed_whatever_it_is(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.loaded.append("else/where")
    listed = (await (await client.get("/v1/models")).get_json())["data"]
    assert [card["id"] for card in listed if card["loaded"]][-2:] == ["base", "else/where"]
    resident = await (await client.get("/api/ps")).get_json()
    assert resident == {"models": ["base", "else/where"]}


async def test_a_model_is_loaded_and_freed(client: TestClientProtocol, house: FakeHouse) -> None:
    for path, method, status in (
        *(("org/name", "post", 201), ("org/name", "post", 200), ("whisper-1", "post", 200)),
        *(("org/name", "delete", 200), ("org/name", "delete", 404)),
    ):
        answer = await getattr(client, method)(f"/api/ps/{path}")
        assert answer.status_code == status, (path, method)
    assert house.loaded == ["base"]
    assert [name for name, _ in house.loads] == ["org/name", "org/name", "base"]


async def test_a_model_in_use_stays(client: TestClientProtocol, house: FakeHouse) -> None:
    house.running = 1
    answer = await client.delete("/api/ps/base")
    assert answer.status_code == 409
    assert await answer.get_json() == {"detail": "The model is in use; try again later"}
    assert house.loaded == ["base"]


@pytest.mark.parametrize("method", ["post", "delete"])
async def test_a_model_that_may_not_be_asked_for_is_refused_as_ever(
    client: TestClientProtocol, house: FakeHouse, method: str
) -> None:
    answer = await getattr(client, method)("/api/ps/none")
    assert answer.status_code == 400
    assert "'none'" in (await answer.get_json())["detail"]
    assert house.loads == []


async def test_who_loads_waits_in_line_and_hears_what_went_wrong(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.answer = ModelUnavailable("the hub does not answer")
    assert (await client.post("/api/ps/org/name")).status_code == 503
    house.answer = Busy("full", retry_after_s=3)
    answer = await client.post("/api/ps/org/name")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "3")


@pytest.mark.parametrize("method", ["post", "delete"])
async def test_pages_of_other_sites_load_and_free_nothing(
    client: TestClientProtocol, house: FakeHouse, method: str
) -> None:
    foreign = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
    answer = await getattr(client, method)("/api/ps/base", headers=foreign)
    assert answer.status_code == 403
    assert house.loads == []
    assert house.loaded == ["base"]
