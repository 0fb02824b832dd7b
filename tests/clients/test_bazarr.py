"""Bazarr: its Whisper provider (custom_libs/subliminal_patch/providers/whisperai.py).

It decodes the film itself and posts raw samples, with requests' form for bytes: a file name that is
the field's, and no type. Of the detection it reads JSON: ``language_code``, ``detected_language``.
Subtitles are kept as they come, whatever the status, if pysubs2 can read them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pysubs2
import pytest

from tests.clients.forms import disposition, form

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


async def post(
    client: httpx.AsyncClient, path: str, samples: bytes, params: dict[str, str]
) -> httpx.Response:
    content, headers = form((disposition("audio_file", "audio_file"), samples))
    headers |= {"User-Agent": "Subliminal/2.2.1", "Accept": "*/*"}
    named = params | {"video_file": "/films/Speech (1961).mkv"}
    return await client.post(path, params=named, content=content, headers=headers)


@pytest.mark.parametrize(
    ("recording", "code", "name"), [("jfk", "en", "english"), ("german", "de", "german")]
)
async def test_the_language_of_a_film_is_detected(
    client: httpx.AsyncClient, recordings: Path, recording: str, code: str, name: str
) -> None:
    samples = (recordings / f"{recording}.pcm").read_bytes()
    answer = await post(client, "/detect-language", samples, {"encode": "false"})
    assert answer.status_code == 200, answer.text
    said = answer.json()
    assert (said["language_code"], said["detected_language"]) == (code, name)
    assert 0.5 < said["confidence"] <= 1.0


async def test_a_refused_detection_is_no_json(client: httpx.AsyncClient) -> None:
    # JSON without a language raises in it, and it leaves us alone for ten minutes.
    answer = await post(client, "/detect-language", b"", {"encode": "false"})
    assert answer.status_code == 400
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert not answer.text.startswith(("{", "["))


@pytest.mark.parametrize(
    ("recording", "language", "task", "words"),
    [
        ("german", "de", "transcribe", "guten morgen"),
        ("jfk", "en", "translate", "and so my fellow americans"),
    ],
)
async def test_samples_become_subtitles_that_it_keeps(
    client: httpx.AsyncClient,
    recordings: Path,
    recording: str,
    language: str,
    task: str,
    words: str,
) -> None:
    samples = (recordings / f"{recording}.pcm").read_bytes()
    params = {"task": task, "language": language, "output": "srt", "encode": "false"}
    answer = await post(client, "/asr", samples, params)
    assert answer.status_code == 200, answer.text
    subtitles = pysubs2.SSAFile.from_string(answer.content.decode("utf-8"))
    assert subtitles.format == "srt"
    assert subtitles[0].plaintext.lower().replace(",", "").startswith(words)
    ends = [event.end for event in subtitles]
    assert all(event.start < event.end for event in subtitles)
    assert ends == sorted(ends)
    assert ends[-1] <= len(samples) / 32 + 1  # 32 bytes a millisecond
    assert "[SPEAKER" not in answer.text


async def test_a_film_without_speech_has_valid_and_empty_subtitles(
    client: httpx.AsyncClient,
) -> None:
    params = {"task": "transcribe", "language": "en", "output": "srt", "encode": "false"}
    answer = await post(client, "/asr", bytes(3 * 32_000), params)
    assert (answer.status_code, answer.text.strip()) == (200, "")
