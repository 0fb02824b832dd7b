"""What browsers are told: which pages may ask, with what, and which headers they may read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
from pydantic import SecretStr

from asr.http.app import create_app
from asr.http.browsers import HEADERS
from asr.http.cors import NAMES_MAX
from asr.http.door import Door
from asr.pipeline.errors import Busy
from tests.http.fakes import as_house
from tests.http.wire import FORM_TYPE, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

PAGE, OTHER = "https://app.example", "https://evil.example"
PATH = "/v1/audio/transcriptions"
READABLE = "Asr-Engine, Asr-Warnings, Content-Disposition, Location, Retry-After, X-Request-Id"


def ask_first(origin: str = PAGE, names: str = "authorization, x-stainless-lang") -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": names,
    }


@pytest.fixture
def settings(settings: HttpSettings) -> HttpSettings:
    return replace(
        settings, cors_origins=f"{PAGE}, app://desktop", api_keys=SecretStr("open-sesame")
    )


@pytest.mark.parametrize("path", [PATH, "/asr", "/health", "/no/such/path"])
async def test_a_preflight_needs_no_key_on_any_path(server: Server, path: str) -> None:
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.options(path, headers=ask_first())
    expected = {
        "access-control-allow-methods": "GET, HEAD, POST, DELETE, OPTIONS",
        "access-control-allow-headers": "authorization, x-stainless-lang",
        "access-control-max-age": "7200",
        "access-control-allow-origin": PAGE,
        "access-control-expose-headers": READABLE,
        "vary": "Origin",
        "x-request-id": answer.headers["x-request-id"],
        "date": answer.headers["date"],
        **{name.lower(): value for name, value in HEADERS.items()},
    }
    assert answer.status_code == 204
    assert dict(answer.headers) == expected


@pytest.mark.parametrize("names", ["", "a b", "a;b", 'x"', "a" * (NAMES_MAX + 1), "a,,b"])
async def test_strange_names_of_headers_are_not_repeated(
    client: TestClientProtocol, names: str
) -> None:
    answer = await client.options(PATH, headers=ask_first(names=names))
    usual = "Authorization, Content-Type, X-Request-Id, api-key"
    assert answer.headers["Access-Control-Allow-Headers"] == usual


async def test_a_preflight_passes_while_the_server_drains_so_that_the_page_hears_why(
    house: FakeHouse, settings: HttpSettings
) -> None:
    door = Door()
    door.close()
    client = create_app(as_house(house), settings, door=door).test_client()
    assert (await client.options(PATH, headers=ask_first())).status_code == 204
    answer = await client.post(PATH, headers={"Origin": PAGE})
    assert answer.status_code == 503
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE


@pytest.mark.parametrize("origin", [PAGE, "app://desktop"])
@pytest.mark.parametrize("fields", [{}, {"stream": "true"}])
async def test_a_page_of_an_allowed_origin_may_read_the_answer(
    server: Server, origin: str, fields: dict[str, str]
) -> None:
    headers = {"Content-Type": FORM_TYPE, "Origin": origin, "Authorization": "Bearer open-sesame"}
    async with httpx.AsyncClient(base_url=server.url) as client:
        answer = await client.post(PATH, content=form(fields), headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == origin
    assert answer.headers["Access-Control-Expose-Headers"] == READABLE
    assert answer.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("problem", "status"),
    [(Busy("full", retry_after_s=5), 503), (RuntimeError("a bug"), 500)],
)
async def test_a_page_may_read_errors_too(
    client: TestClientProtocol, house: FakeHouse, problem: Exception, status: int
) -> None:
    house.refusal = problem
    headers = {"Origin": PAGE, "api-key": "open-sesame"}
    answers = {
        status: await client.post(PATH, headers=headers),
        405: await client.get(PATH, headers=headers),
        404: await client.get("/nothing", headers=headers),
        401: await client.get("/nothing", headers={"Origin": PAGE}),
    }
    assert [answer.status_code for answer in answers.values()] == list(answers)
    for answer in answers.values():
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert answer.headers["Access-Control-Expose-Headers"] == READABLE


@pytest.mark.parametrize("origin", [OTHER, "null", PAGE.upper(), f"{PAGE}:8443", f"{PAGE}/", ""])
async def test_another_origin_is_served_as_ever_and_told_nothing(
    client: TestClientProtocol, origin: str
) -> None:
    headers = {"Origin": origin, "api-key": "open-sesame"}
    answer = await client.get("/v1/models/base", headers=headers)
    first = await client.options("/v1/models/base", headers=ask_first(origin))
    assert [answer.status_code, first.status_code] == [200, 200]
    for told in (answer, first):
        assert "access-control" not in str(told.headers).lower()
        assert told.headers["Vary"] == "Origin"


async def test_a_star_lets_every_page_in(house: FakeHouse, settings: HttpSettings) -> None:
    everybody = replace(settings, cors_origins="*")
    client = create_app(as_house(house), everybody).test_client()
    answer = await client.get("/health", headers={"Origin": OTHER})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Vary" not in answer.headers
    assert (await client.options(PATH, headers=ask_first(OTHER))).status_code == 204


async def test_without_origins_nothing_is_said(house: FakeHouse, settings: HttpSettings) -> None:
    client = create_app(as_house(house), replace(settings, cors_origins="")).test_client()
    answer = await client.get("/health", headers={"Origin": PAGE})
    first = await client.options(PATH, headers=ask_first())
    assert [answer.status_code, first.status_code] == [200, 200]
    for told in (answer, first):
        assert "access-control" not in str(told.headers).lower()
        assert "Vary" not in told.headers
