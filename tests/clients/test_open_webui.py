"""Open WebUI: its engine "openai" for speech to text (backend/open_webui/routers/audio.py).

It cuts long recordings into mp3 chunks and posts all of them at once, with the model that is
configured: none, unless somebody chose one. With a language it asks again without, if that was
refused. It reads ``text`` of a JSON object, and shows ``error.message``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.real import sounds

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

URL = "/v1/audio/transcriptions"
BEARER = {"Authorization": "Bearer"}  # where no key is configured


async def test_no_model_is_the_default_one(client: httpx.AsyncClient, recordings: Path) -> None:
    files = {"file": ("0b9f.mp3", (recordings / "jfk.mp3").read_bytes())}
    answer = await client.post(URL, data={"model": ""}, files=files, headers=BEARER)
    assert answer.status_code == 200, answer.text
    assert "what your country can do for you" in answer.json()["text"].lower()


async def test_chunks_come_all_at_once_and_each_has_its_own_text(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    spoken = {0: "leisure to consider", 11: "selfish", 22: "amiable", 33: "what you can do"}
    texts: dict[int, str] = {}

    async def transcribe(begin: int) -> None:
        chunk = tmp_path / f"chunk_{begin}.mp3"
        sounds.as_file(sounds.AUSTEN, chunk, "-ss", str(begin), "-t", "11")
        files = {"file": (chunk.name, chunk.read_bytes())}
        answer = await client.post(URL, data={"model": "whisper-1"}, files=files, headers=BEARER)
        texts[begin] = answer.json()["text"]

    async with trio.open_nursery() as nursery:
        for begin in spoken:
            nursery.start_soon(transcribe, begin)
    assert all(words in texts[begin].lower() for begin, words in spoken.items()), texts


async def test_what_was_wrong_is_in_the_message_that_it_shows(client: httpx.AsyncClient) -> None:
    files = {"file": ("0b9f.mp3", sounds.JFK.read_bytes())}
    form = {"model": "", "language": "klingon"}
    refused = await client.post(URL, data=form, files=files, headers=BEARER)
    body: dict[str, Any] = refused.json()
    assert refused.status_code == 400
    assert body["error"]["param"] == "language"
    assert "klingon" in body["error"]["message"]
