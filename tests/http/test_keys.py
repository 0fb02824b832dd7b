"""Who may ask: one of the operator's keys, in either header, before a byte of the body is read."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
from openai import AsyncOpenAI, AuthenticationError
from pydantic import SecretStr
from quart import request

from asr.http.app import create_app
from asr.http.keys import client_of, digest, find
from tests.http.fakes import as_house
from tests.http.wire import AUDIO, FORM_TYPE, form, post, read_all, until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from quart.typing import TestClientProtocol

    from asr.http.settings import HttpSettings
    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server

KEYS = ("first-key", "second-key")
PATH = "/v1/audio/transcriptions"
RIGHT = {"Authorization": f"Bearer {KEYS[0]}"}


@pytest.fixture
def settings(settings: HttpSettings) -> HttpSettings:
    return replace(settings, api_keys=SecretStr(",".join(KEYS)))


@pytest.mark.parametrize(
    "headers",
    [
        *({"Authorization": f"Bearer {key}"} for key in KEYS),
        {"Authorization": "bEARER   second-key  "},
        {"api-key": "second-key"},
        {"Api-Key": "first-key", "Authorization": "Basic Zmlyc3Qta2V5"},
        {"api-key": "first-key", "Authorization": "Bearer wrong"},
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/queue-metrics"])
async def test_a_key_opens_every_path(
    client: TestClientProtocol, path: str, headers: dict[str, str]
) -> None:
    assert (await client.get(path, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer "},
        {"Authorization": "first-key"},
        {"Authorization": "Basic first-key"},
        {"Authorization": "Bearer first-ke"},
        {"Authorization": "Bearer first-key2"},
        {"Authorization": "Bearer FIRST-KEY"},
        {"Authorization": "Bearer first-key second-key"},
        {"Authorization": "Bearer first-key,second-key"},
        {"Authorization": "Bearer \xe9"},
        {"api-key": ""},
        {"api-key": "Bearer first-key"},
        {"X-Api-Key": "first-key"},
    ],
)
async def test_nothing_else_does(client: TestClientProtocol, headers: dict[str, str]) -> None:
    assert (await client.get("/v1/models", headers=headers)).status_code == 401


@pytest.mark.parametrize(
    ("headers", "message"),
    [
        ({}, "An API key is required (Authorization: Bearer KEY)"),
        ({"api-key": "third-key"}, "Incorrect API key provided"),
    ],
)
async def test_a_refusal_has_the_words_of_the_paths_dialect(
    client: TestClientProtocol, headers: dict[str, str], message: str
) -> None:
    openai = await client.post(PATH, headers=headers)
    asr = await client.post("/asr", headers=headers)
    error = {"type": "invalid_request_error", "param": None, "code": "invalid_api_key"}
    assert await openai.get_json() == {"error": {"message": message, **error}}
    assert await asr.get_json() == {"detail": message}
    for answer in (openai, asr):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200),
        ("GET", "/health", 200),
        ("HEAD", "/health", 200),
        ("GET", "/health/", 200),
        ("OPTIONS", "/asr", 200),
        ("OPTIONS", PATH, 200),
        ("GET", "/docs/no-such-file", 404),
        ("GET", "/page/no-such-file", 404),
        ("GET", "/page", 401),
        ("GET", "/docsx", 401),
        ("GET", "/healthy", 401),
        ("GET", "/v1/health", 401),
        ("GET", "/no/such/path", 401),
        ("GET", "//v1/models", 401),
        ("GET", "/docs/../metrics", 404),
        ("GET", "/metrics/", 401),
        ("HEAD", "/v1/models", 401),
        ("GET", "/asr", 401),
        ("PUT", "/v1/models", 401),
    ],
)
async def test_only_probes_and_directions_are_open(
    client: TestClientProtocol, method: str, path: str, status: int
) -> None:
    answer = await getattr(client, method.lower())(path)
    assert answer.status_code == status


async def test_without_keys_the_server_is_open(house: FakeHouse, settings: HttpSettings) -> None:
    client = create_app(as_house(house), replace(settings, api_keys=None)).test_client()
    assert (await client.get("/v1/models")).status_code == 200
    assert (await client.get("/v1/models", headers={"api-key": "any"})).status_code == 200


async def test_a_client_hears_of_its_key_while_it_is_still_sending(
    server: Server, house: FakeHouse
) -> None:
    upload = form(audio=bytes(20_000_000))
    heard = await server.say(post(PATH, upload, "Connection: close"))
    assert heard.startswith(b"HTTP/1.1 401 ")
    assert b"invalid_api_key" in heard
    assert house.receiver.uploads == 0


@pytest.mark.parametrize("linger_s", [0.3])
async def test_the_answer_does_not_wait_for_the_body(server: Server, house: FakeHouse) -> None:
    head = post(PATH, b"", "Transfer-Encoding: chunked")  # and not one chunk follows
    async with await server.connect() as stream:
        await stream.send_all(head)
        with trio.fail_after(10):
            heard = await read_all(stream)
    assert heard.startswith(b"HTTP/1.1 401 ")
    assert house.receiver.uploads == 0


async def test_a_connection_that_was_refused_may_go_on_with_a_key(server: Server) -> None:
    body = form()
    refused = post(PATH, body)
    accepted = post(PATH, body, "Connection: close", "api-key: second-key")
    heard = await server.say(refused + accepted)
    assert heard.count(b"HTTP/1.1 401 ") == heard.count(b"HTTP/1.1 200 ") == 1


@pytest.mark.parametrize("keep_alive_s", [1])
async def test_a_websocket_is_asked_for_a_key_and_then_refused_politely(server: Server) -> None:
    def upgrade(*headers: str) -> bytes:
        lines = ["GET /v1/realtime HTTP/1.1", "Host: x", "Connection: Upgrade", *headers]
        nonce = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
        lines += ["Upgrade: websocket", "Sec-WebSocket-Version: 13", nonce, "", ""]
        return "\r\n".join(lines).encode()

    assert (await server.say(upgrade())).startswith(b"HTTP/1.1 401 ")
    refused = await server.say(upgrade("api-key: first-key"))
    assert refused.startswith(b"HTTP/1.1 404 ")
    assert b'{"error":' in refused
    assert b"x-request-id: " in refused


async def test_openais_sdk_is_let_in_with_a_key_and_told_without(server: Server) -> None:
    async def ask(key: str) -> str:
        url = f"{server.url}/v1"
        async with AsyncOpenAI(base_url=url, api_key=key, max_retries=0) as client:
            answer = await client.audio.transcriptions.create(
                model="whisper-1", file=("talk.mp3", AUDIO)
            )
            return answer.text

    with pytest.raises(AuthenticationError) as refused:
        await ask("wrong")
    assert refused.value.code == "invalid_api_key"
    assert await ask("second-key") == "Hello there, general."


async def test_no_key_is_ever_shown(
    server: Server, house: FakeHouse, settings: HttpSettings, caplog: pytest.LogCaptureFixture
) -> None:
    house.answer = RuntimeError("a bug")
    with caplog.at_level(logging.DEBUG):
        async with httpx.AsyncClient(base_url=server.url) as client:
            path = f"{PATH}?api-key=second-key"
            ours = await client.post(
                path, content=form(), headers={**RIGHT, "Content-Type": FORM_TYPE}
            )
            wrong = await client.get("/v1/models", headers={"api-key": "third-key"})
        await until(lambda: "401" in caplog.text)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("asr.")]
    shown = "\n".join([*lines, ours.text, wrong.text, str(wrong.headers), repr(settings)])
    assert [ours.status_code, wrong.status_code] == [500, 401]
    assert not [key for key in (*KEYS, "third-key") if key in shown]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        (RIGHT, "key 1"),
        ({"api-key": "second-key", "X-Forwarded-For": "203.0.113.7"}, "key 2"),
        ({}, "192.0.2.1"),
    ],
)
async def test_a_client_is_named_by_its_key_and_without_one_by_its_address(
    house: FakeHouse, settings: HttpSettings, headers: dict[str, str], name: str
) -> None:
    app = create_app(as_house(house), settings)
    names: list[str] = []

    @app.before_request
    async def look() -> None:
        names.append(client_of(request))

    path = "/v1/models" if headers else "/"
    here = {"client": ("192.0.2.1", 4711)}
    await app.test_client().get(path, headers=headers, scope_base=here)
    assert names == [name]


def test_every_key_is_compared_with_every_other_whatever_was_found() -> None:
    known = [digest(key) for key in KEYS]
    looked: list[bytes] = []

    class Watched(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            for key in super().__iter__():
                looked.append(key)
                yield key

    assert find([known[0], known[1]], Watched(known)) == 1
    assert looked == [*known, *known]
