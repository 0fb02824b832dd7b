"""One table, two envelopes: every error in the words of the path's dialect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from asr.pipeline.errors import (
    AsrError,
    Busy,
    DeadlineExceeded,
    EngineRestarted,
    InvalidRequest,
    ModelUnavailable,
    NotEnoughMemory,
    Poisoned,
    StorageFull,
    TooLarge,
    UnknownModel,
    UnreadableAudio,
)
from tests.http.wire import FORM_TYPE, asr_form, form

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse

HEADERS = {"Content-Type": FORM_TYPE}
PATH = "/v1/audio/transcriptions"
BAD, OURS = "invalid_request_error", "server_error"


@pytest.mark.parametrize(
    ("error", "status", "type", "code", "param", "retry_after"),
    [
        (InvalidRequest("m", param="p"), 400, BAD, None, "p", None),
        (UnreadableAudio("m"), 400, BAD, "invalid_audio", "file", None),
        (UnknownModel("m"), 400, BAD, "model_not_found", "model", None),
        (TooLarge("m"), 413, BAD, "file_too_large", None, None),
        (Busy("m", retry_after_s=2.2), 503, OURS, "busy", None, "3"),
        (Busy("m", retry_after_s=900), 503, OURS, "busy", None, "60"),
        (Busy("m", retry_after_s=0), 503, OURS, "busy", None, "1"),
        (EngineRestarted(), 503, OURS, "engine_restarted", None, "1"),
        (Poisoned(), 500, OURS, "engine_crashed", None, None),
        (NotEnoughMemory(), 503, OURS, "out_of_memory", None, None),
        (ModelUnavailable("m"), 503, OURS, "model_unavailable", None, "30"),
        (StorageFull(), 503, OURS, "storage_full", None, "30"),
        (DeadlineExceeded(9), 504, OURS, "deadline_exceeded", None, None),
    ],
)
async def test_an_error_is_told_in_both_dialects(
    client: TestClientProtocol,
    house: FakeHouse,
    error: AsrError,
    status: int,
    type: str,
    code: str | None,
    param: str | None,
    retry_after: str | None,
) -> None:
    house.answer = error
    openai = await client.post(PATH, data=form(), headers=HEADERS)
    asr = await client.post("/asr", data=asr_form(), headers=HEADERS)
    assert await openai.get_json() == {
        "error": {"message": error.message, "type": type, "param": param, "code": code}
    }
    assert await asr.get_json() == {"detail": error.message}
    for answer in (openai, asr):
        assert answer.status_code == status
        assert answer.headers.get("Retry-After") == retry_after


async def test_a_missing_file_has_each_dialects_number(client: TestClientProtocol) -> None:
    openai = await client.post(PATH, data=b"", headers={})
    asr = await client.post("/asr", data=b"", headers={})
    assert [openai.status_code, asr.status_code] == [400, 422]


async def test_a_full_house_refuses_before_it_reads(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.refusal = Busy("full", retry_after_s=5)
    answer = await client.post("/asr", data=asr_form(), headers=HEADERS)
    assert answer.status_code == 503
    assert house.receiver.uploads == 0


@pytest.mark.parametrize("path", [PATH, "/asr"])
async def test_a_bug_shows_its_id_and_nothing_else(
    client: TestClientProtocol, house: FakeHouse, path: str, caplog: pytest.LogCaptureFixture
) -> None:
    house.answer = RuntimeError("secret of /tmp/spool/1")
    body = form() if path == PATH else asr_form()
    answer = await client.post(path, data=body, headers=HEADERS)
    assert answer.status_code == 500
    assert "secret" not in await answer.get_data(as_text=True)
    assert "secret" in caplog.text


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("GET", "/v1/none", 404, "Not Found (GET /v1/none)"),
        ("GET", "/v1/readyz", 404, "Not Found (GET /v1/readyz)"),
        ("GET", "/v1/test", 404, "Not Found (GET /v1/test)"),
        ("GET", PATH, 405, f"Method Not Allowed (GET {PATH})"),
        ("PUT", PATH, 405, f"Method Not Allowed (PUT {PATH})"),
    ],
)
async def test_an_address_of_v1_that_is_wrong_has_the_envelope(
    client: TestClientProtocol, method: str, path: str, status: int, message: str
) -> None:
    answer = await (client.get(path) if method == "GET" else client.put(path))
    error = {"message": message, "type": BAD, "param": None, "code": None}
    assert answer.status_code == status
    assert await answer.get_json() == {"error": error}


async def test_a_wrong_method_elsewhere_names_the_right_ones(client: TestClientProtocol) -> None:
    answer = await client.get("/asr")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "OPTIONS, POST"
    assert await answer.get_json() == {"detail": "Method Not Allowed (GET /asr)"}
