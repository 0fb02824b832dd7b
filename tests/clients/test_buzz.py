"""Buzz: its file transcriber on OpenAI's API (openai_whisper_api_file_transcriber.py).

It asks for verbose_json, and for [word] where words have times. Of an answer without segments it
takes the words; where there are segments, even an empty list, it looks for words inside of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.real import process, sounds

if TYPE_CHECKING:
    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


async def ask(client: httpx.AsyncClient, form: dict[str, Any]) -> dict[str, Any]:
    files = process.upload(sounds.JFK, field="file")
    always = {"model": "whisper-1", "response_format": "verbose_json", "prompt": ""}
    answer = await client.post("/v1/audio/transcriptions", data=always | form, files=files)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()
    return data


async def test_words_alone_come_without_segments(client: httpx.AsyncClient) -> None:
    data = await ask(client, {"timestamp_granularities[]": "word", "language": "en"})
    assert "segments" not in data
    lines = [(word["start"] * 1000, word["end"] * 1000, word["word"]) for word in data["words"]]
    assert "fellow americans" in " ".join(word.strip() for *_, word in lines).lower()
    assert all(0 <= start <= end <= 11_100 for start, end, _ in lines)


async def test_without_words_there_are_segments(client: httpx.AsyncClient) -> None:
    data = await ask(client, {"language": "en"})
    assert "words" not in data
    lines = [(each["start"] * 1000, each["end"] * 1000, each["text"]) for each in data["segments"]]
    assert "fellow americans" in "".join(text for *_, text in lines).lower()
