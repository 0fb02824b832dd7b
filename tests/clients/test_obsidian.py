"""obsidian-transcription: its own form and its reading of /asr (src/utils.ts, src/transcribe.ts).

The form is put together by hand: a file called ``blob`` whose type is in quotation marks. Of the
answer it reads the segments and their words; ``text`` only where there are no segments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.clients.forms import disposition, form
from tests.real import sounds

if TYPE_CHECKING:
    import httpx

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

JFK = "what your country can do for you"
ALWAYS = "output=json&word_timestamps=true"
HEAD = disposition("audio_file", "blob") + '\r\nContent-Type: "application/octet-stream"'


async def ask(client: httpx.AsyncClient, query: str) -> dict[str, Any]:
    content, headers = form((HEAD, sounds.JFK.read_bytes()))
    answer = await client.post(f"/asr?{query}", content=content, headers=headers)
    assert answer.status_code == 200, answer.text
    data: dict[str, Any] = answer.json()
    return data


@pytest.mark.parametrize(
    "options",
    [
        "",
        "&task=translate&encode=true&vad_filter=true&language=en&initial_prompt=A%20speech",
    ],
)
async def test_a_note_gets_its_lines_whatever_is_set(
    client: httpx.AsyncClient, options: str
) -> None:
    data = await ask(client, ALWAYS + options)
    # Lists in the place of segments are how another engine answers: they would be taken apart.
    assert not isinstance(data["segments"][0], list)
    lines = [segment["text"].strip() for segment in data["segments"]]
    assert JFK in " ".join(lines).lower()
    assert isinstance(data["text"], str)


async def test_a_note_may_have_the_time_of_every_word(client: httpx.AsyncClient) -> None:
    data = await ask(client, ALWAYS)
    words = [word for segment in data["segments"] for word in segment["words"]]
    assert JFK in "".join(word["word"] for word in words).lower()
    times = [time for word in words for time in (word["start"], word["end"])]
    assert times == sorted(times)
    assert 0 <= times[0] < times[-1] <= 11.1


async def test_its_first_version_named_no_format_and_took_what_came(
    client: httpx.AsyncClient,
) -> None:
    data = await ask(client, "task=transcribe&language=en")
    assert JFK in " ".join(segment["text"] for segment in data["segments"]).lower()
