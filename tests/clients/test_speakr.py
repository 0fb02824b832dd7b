"""Speakr: its connector for /asr (src/services/transcription/connectors/asr_endpoint.py).

It sends all of its parameters in the query. It reads any 2xx as a JSON object, and of that the
segments' speaker, text, start and end, ``text`` if it is a string, ``language``, and
``speaker_embeddings``. Before it trusts vectors, it posts a clip that it knows and compares
(src/services/voice_embedding_check.py); people are known again by cosine (voice_profiles.py).
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.real import sounds

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

JFK = "what your country can do for you"
ALWAYS: dict[str, Any] = {"encode": True, "task": "transcribe", "output": "json"}
ALL = ALWAYS | {
    "language": "en",
    "diarize": True,
    "enable_diarization": True,
    "return_speaker_embeddings": True,
    "min_speakers": 1,
    "max_speakers": 2,
    "initial_prompt": "A speech.",
    "hotwords": "Americans, country",
    "model": "tiny.en",
}

CANARY = ALWAYS | {
    "language": "en",
    "diarize": True,
    "enable_diarization": True,
    "return_speaker_embeddings": True,
    "min_speakers": 1,
    "max_speakers": 1,
    "model": "tiny.en",
}
PATIENCE_S = 280  # three requests at once on a machine that has other things to do
TWO = sounds.RECORDINGS / "two-people.flac"

# From this cosine on, Speakr suggests a name, and gives it by itself unless told otherwise.
KNOWN = 0.6


async def ask(
    client: httpx.AsyncClient, params: dict[str, Any], *, sound: bytes | None = None
) -> dict[str, Any]:
    """What Speakr gets: it takes nothing but a JSON object."""
    files = {"audio_file": ("talk.flac", sound or sounds.JFK.read_bytes(), "audio/flac")}
    answer = await client.post("/asr", params=params, files=files, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    data = answer.json()
    assert isinstance(data, dict)
    return data


def transcript(data: dict[str, Any]) -> tuple[str, list[tuple[str, str, float, float]]]:
    """The text and the lines, as Speakr makes them of an answer.

    Who has no speaker has the one before; the lines are the text where ``text`` is no string.
    """
    lines, last = [], None
    for segment in data["segments"]:
        last = segment.get("speaker") or last
        speaker = last or "UNKNOWN_SPEAKER"
        lines.append((speaker, segment["text"].strip(), segment["start"], segment["end"]))
    told = data["text"]
    text = told if isinstance(told, str) else "\n".join(f"[{who}]: {t}" for who, t, *_ in lines)
    return text, lines


async def test_all_of_its_parameters_at_once_give_a_transcript(client: httpx.AsyncClient) -> None:
    data = await ask(client, ALL)
    text, lines = transcript(data)
    assert isinstance(data["text"], str)
    assert JFK in text.lower()
    assert JFK in " ".join(said for _, said, *_ in lines).lower()
    assert data["language"] == "en"
    assert all(0 <= start < end <= 11.1 for *_, start, end in lines)


async def test_what_was_asked_for_and_not_done_is_said(client: httpx.AsyncClient) -> None:
    data = await ask(client, ALL)
    told = " ".join(data["warnings"])
    assert "hotwords" in told
    speakers = {segment.get("speaker") for segment in data["segments"]}
    embeddings = data.get("speaker_embeddings")
    assert speakers == set(embeddings) if embeddings else "speaker" in told


async def test_silence_is_an_object_with_no_segments(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    sounds.made("silence", sounds.silence(3.0), tmp_path)
    raw = ("-f", "s16le", "-ar", "16000", "-ac", "1")
    silence = sounds.as_file(tmp_path / "silence.pcm", tmp_path / "silence.flac", before=raw)
    data = await ask(client, ALWAYS | {"diarize": True}, sound=silence.read_bytes())
    assert transcript(data) == ("", [])


async def test_its_own_clip_has_one_voice_and_always_the_same(client: httpx.AsyncClient) -> None:
    (first,) = (await voices(client, CANARY)).values()
    found = list[dict[str, list[float]]]()

    async def again() -> None:
        found.append(await voices(client, CANARY))

    async with trio.open_nursery() as nursery:  # what else is asked for changes nothing
        nursery.start_soon(partial(ask, client, ALL, sound=TWO.read_bytes()))
        nursery.start_soon(again)
    assert list(found[0]) == ["SPEAKER_00"]
    assert alike(first, found[0]["SPEAKER_00"]) >= 0.9999  # Speakr asks for 0.98


async def test_who_was_named_in_one_recording_is_known_in_another(
    client: httpx.AsyncClient,
) -> None:
    (kennedy,) = (await voices(client, CANARY)).values()
    both = await voices(
        client, CANARY | {"min_speakers": 2, "max_speakers": 2}, sound=TWO.read_bytes()
    )
    assert list(both) == ["SPEAKER_00", "SPEAKER_01"]  # Austen's reader speaks first
    reader, again = both.values()
    assert alike(kennedy, again) >= KNOWN
    assert max(alike(kennedy, reader), alike(again, reader)) < KNOWN


async def voices(
    client: httpx.AsyncClient, params: dict[str, Any], *, sound: bytes | None = None
) -> dict[str, list[float]]:
    """The vectors that Speakr keeps, by label: of as many numbers as it has always kept."""
    data = await ask(client, params, sound=sound)
    assert not any("speaker" in warning for warning in data["warnings"]), data["warnings"]
    found: dict[str, list[float]] = data["speaker_embeddings"]
    assert set(found) == {segment["speaker"] for segment in data["segments"]}
    assert [len(vector) for vector in found.values()] == [256] * len(found)
    return found


def alike(one: list[float], other: list[float]) -> float:
    """The cosine, as Speakr works it out."""
    dot = sum(a * b for a, b in zip(one, other, strict=True))
    return dot / (math.hypot(*one) * math.hypot(*other))


async def test_what_cannot_be_decoded_makes_it_try_mp3(client: httpx.AsyncClient) -> None:
    files = {"audio_file": ("talk.amr", b"no sound at all" * 99, "audio/amr")}
    answer = await client.post("/asr", params=ALL, files=files)
    assert answer.status_code == 400  # final: on 422 and 5xx it comes again at once, three times
    assert "failed to decode audio" in answer.text.lower()


async def test_it_finds_the_models_for_its_menu(client: httpx.AsyncClient) -> None:
    models = (await client.get("/v1/models")).json()["data"]
    assert {"base", "tiny.en", "large-v3"} <= {model["id"] for model in models}
    assert all(model["owned_by"] for model in models)
