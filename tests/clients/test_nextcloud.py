"""Nextcloud: integration_openai, its probe and its call (lib/Service/OpenAiAPIService.php).

Every file is called file.mp3, and the parts of the form have no types. It asks for verbose_json,
reads ``text``, and the end of the last segment for its quota. To see whether there is speech to
text at all it sends what cannot succeed: 404 and 401 mean that there is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.clients.forms import disposition, form

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


async def post(client: httpx.AsyncClient, path: str, model: str, file: bytes) -> httpx.Response:
    content, headers = form(
        (disposition("model"), model.encode()),
        (disposition("file", "file.mp3"), file),
        (disposition("response_format"), b"verbose_json"),
    )
    headers["User-Agent"] = "Nextcloud OpenAI/LocalAI integration"
    return await client.post(f"/v1/audio/{path}", content=content, headers=headers)


@pytest.mark.parametrize("path", ["transcriptions", "translations"])
@pytest.mark.parametrize(("model", "file"), [("invalid-model", b"a"), ("whisper-1", b"a")])
async def test_what_cannot_succeed_says_that_we_are_here(
    client: httpx.AsyncClient, path: str, model: str, file: bytes
) -> None:
    answer = await post(client, path, model, file)
    assert answer.status_code == 400  # the client's fault, and neither 401 nor 404
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("path", "model"), [("transcriptions", "whisper-1"), ("translations", "base")]
)
async def test_speech_has_a_text_and_a_length(
    client: httpx.AsyncClient, recordings: Path, path: str, model: str
) -> None:
    recording = (recordings / "jfk.wav").read_bytes()  # whatever its name says
    answer = await post(client, path, model, recording)
    assert answer.status_code == 200, answer.text
    data = answer.json()
    assert "what your country can do for you" in data["text"].lower()
    assert round(data["segments"][-1]["end"]) in range(9, 12)
