"""What pages of the web can do through somebody's browser: nothing, unless the operator lets them.

What the browsers send here is what the Fetch standard has them send.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import SecretStr

from asr.http.app import create_app
from asr.http.browsers import HEADERS
from asr.http.reference.document import openapi
from tests.http.fakes import as_house
from tests.http.promises import Promises
from tests.http.wire import FORM_TYPE, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse

HERE = "127.0.0.1:9001"
EVIL = "https://evil.example"


@pytest.fixture
def ask(house: FakeHouse, settings: HttpSettings) -> Any:
    """Send a request with these headers to a server with these settings: the status it gets."""

    async def ask(
        path: str = "/asr?output=txt", method: str = "POST", *, host: str = HERE, **rest: Any
    ) -> int:
        headers, changes = rest.pop("headers", {}), rest
        client = create_app(as_house(house), replace(settings, **changes)).test_client()
        sent = {"Host": host, "Content-Type": FORM_TYPE, **headers}
        if method == "GET":
            return (await client.get(path, headers=sent)).status_code
        body = form(file_field="audio_file")
        return (await client.post(path, headers=sent, data=body)).status_code

    return ask


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:9001", "localhost:9001", "[::1]:9001", "192.168.1.7", "8.8.8.8:80"),
        *("asr", "mac.local:9001", "ASR.Home.Arpa", "asr.default.svc", "tauri.localhost", ""),
    ],
)
async def test_programs_reach_the_server_by_address_and_by_private_names(
    ask: Any, host: str
) -> None:
    assert await ask(host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:9001", "127.0.0.1.evil.example", "evil.example."),
        *("localhost.evil.example", "1.2.3.4.5", "notlocal.evil"),
    ],
)
@pytest.mark.parametrize("path", ["/asr?output=txt", "/v1/models", "/metrics", "/none"])
async def test_a_public_name_that_suddenly_means_this_machine_reads_nothing(
    ask: Any, host: str, path: str
) -> None:
    assert await ask(path, "POST" if path.startswith("/asr") else "GET", host=host) == 403


async def test_the_operator_may_name_the_server(ask: Any) -> None:
    assert await ask(host="asr.example:443", hosts_allowed="other.example, ASR.example") == 200
    assert await ask(host="asr.example", hosts_allowed="*") == 200
    assert await ask(host="asr.example", hosts_allowed="example") == 403


async def test_probes_are_answered_by_any_name(ask: Any) -> None:
    assert await ask("/health", "GET", host="balancer.example") == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
        {"Origin": "null", "Sec-Fetch-Site": "cross-site"},  # a frame in a sandbox
        {"Origin": "null"},
        {"Origin": EVIL},  # to an address that the browser does not trust
        {"Origin": "http://127.0.0.1:3000", "Sec-Fetch-Site": "same-site"},  # another program's
        {"Origin": "http://127.0.0.1:3000"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
async def test_a_page_of_another_site_cannot_send_a_form(ask: Any, headers: dict[str, str]) -> None:
    assert await ask(headers=headers) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": f"http://{HERE}", "Sec-Fetch-Site": "same-origin"},
        {"Origin": f"http://{HERE}"},
        {"Origin": "https://asr.example", "Sec-Fetch-Site": "same-origin"},  # behind a proxy
        {"Sec-Fetch-Site": "none"},
        {"Origin": "chrome-extension://abc", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "app://obsidian.md"},
    ],
)
async def test_our_own_page_and_installed_programs_can(ask: Any, headers: dict[str, str]) -> None:
    assert await ask(headers=headers) == 200


async def test_pages_that_the_operator_lets_in_can(ask: Any) -> None:
    page = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
    assert await ask(headers=page, cors_origins=EVIL) == 200
    assert await ask(headers=page, cors_origins="*", host="any.example") == 200
    assert await ask(headers=page, cors_origins="https://other.example") == 403


async def test_where_keys_are_asked_for_a_key_is_what_counts(ask: Any) -> None:
    keyed: Any = {"api_keys": SecretStr("sesame"), "host": "asr.example"}
    page = {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"}
    assert await ask(headers=page, **keyed) == 401
    assert await ask(headers={"api-key": "sesame"}, **keyed) == 200


async def test_a_refusal_says_what_the_operator_can_do(
    house: FakeHouse, settings: HttpSettings
) -> None:
    client = create_app(as_house(house), settings).test_client()
    answer = await client.get("/v1/models", headers={"Host": "asr.example"})
    error = (await answer.get_json())["error"]
    assert (error["code"], "ASR_HOSTS_ALLOWED" in error["message"]) == ("host_not_allowed", True)


async def test_refusals_are_described(desk: TestClientProtocol) -> None:
    promises = Promises(openapi("1", keyed=False))
    seen: set[int] = set()
    for path, method, _ in promises.operations():
        address = path.format(name="base", id="base", model="base", job_id="none")
        for headers in ({"Host": "evil.example"}, {"Origin": EVIL}):
            answer = await getattr(desk, method)(address, headers=headers)
            seen.add(answer.status_code)
            await promises.check_answer(method, address, answer)
    assert seen == {200, 403, 404}  # there is no such job


@pytest.mark.parametrize(
    ("path", "status"),
    [("/health", 200), ("/metrics", 200), ("/v1/models", 200), ("/openapi.json", 200), ("/x", 404)],
)
async def test_every_answer_tells_browsers_that_it_is_data(
    house: FakeHouse, settings: HttpSettings, path: str, status: int
) -> None:
    client = create_app(as_house(house), settings).test_client()
    answer = await client.get(path)
    assert answer.status_code == status
    assert {name: answer.headers[name] for name in HEADERS} == dict(HEADERS)


@pytest.mark.parametrize("name", ["a b", "https://asr.example", "asr..example", "a/b", "asr:9001"])
def test_what_is_no_name_is_refused_at_start(settings: HttpSettings, name: str) -> None:
    with pytest.raises(ValueError, match="ASR_HOSTS_ALLOWED cannot hold"):
        replace(settings, hosts_allowed=name)
