"""Home Assistant: speech to text by OpenAI's API, its own integration and a well-known custom one.

homeassistant/components/openai_conversation/stt.py goes through the SDK (see test_sdk.py);
ha-openai-whisper-stt-api posts with requests. Both put a wave header before the samples of the
microphone and name the language of the pipeline; one whole, "en-US", the other its first half.
People wait in front of the device: ten seconds is all they are given.
"""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

import pytest
import trio

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

COMMAND_S = 4  # as long as what people tell a device to do
BUDGET_S = 10.0


def spoken(samples: bytes) -> bytes:
    """Samples as both of them wrap them."""
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(1)
        writer.setframerate(16000)
        writer.setsampwidth(2)
        writer.writeframes(samples)
    return file.getvalue()


@pytest.mark.parametrize("language", ["en-US", "en"])
async def test_a_command_is_understood_in_time(
    client: httpx.AsyncClient, recordings: Path, language: str
) -> None:
    samples = (recordings / "jfk.pcm").read_bytes()
    form = {"model": "whisper-1", "language": language, "temperature": "0", "prompt": ""}

    async def ask(command: bytes) -> httpx.Response:
        files = {"file": ("audio.wav", spoken(command), "audio/wav")}
        headers = {"Authorization": "Bearer any"}
        return await client.post(
            "/v1/audio/transcriptions", data=form, files=files, headers=headers
        )

    await ask(samples[COMMAND_S * 32_000 :])  # other words: the model is loaded by now
    began = trio.current_time()
    answer = await ask(samples[: COMMAND_S * 32_000])
    assert trio.current_time() - began < BUDGET_S
    assert answer.status_code == 200, answer.text
    assert "fellow americans" in answer.json()["text"].lower()


async def test_the_setup_finds_the_model_it_offers(client: httpx.AsyncClient) -> None:
    headers = {"Authorization": "Bearer any", "Content-Type": "application/json"}
    answer = await client.get("/v1/models", headers=headers)
    assert answer.status_code == 200
    assert "whisper-1" in [model["id"] for model in answer.json()["data"]]
