"""What only a real model shows: text that comes while it is heard, tokens, languages."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from tests.real import process, sounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

PATH = "/v1/audio/transcriptions"


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    """One request is worked on at a time, and one may wait."""
    settings = {"PRELOAD_MODEL": "base", "GPU_CONCURRENCY": "1", "MAX_QUEUE_SIZE": "1"}
    with log.open("ab") as stderr, process.serving(environment, stderr, **settings) as server:
        yield server


@pytest.fixture
async def client(server: process.Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=200) as client:
        yield client


async def test_deltas_come_while_the_rest_is_still_being_decoded(client: httpx.AsyncClient) -> None:
    files = process.upload(sounds.AUSTEN, field="file")
    form = {"stream": "true", "language": "en"}
    deltas: list[str] = []
    busy: list[int] = []
    text = ""
    async with client.stream("POST", PATH, data=form, files=files) as answer:
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line[6:])
            if event["type"] == "transcript.text.delta":
                deltas.append(event["delta"])
                busy.append(await process.in_flight(client))
            text = event.get("text", "")
    assert "".join(deltas) == text
    assert len(deltas) >= 4
    assert busy[0] == 1  # its words are here, and it is not done


async def test_the_tokens_of_an_answer_spell_its_text(client: httpx.AsyncClient) -> None:
    files = process.upload(sounds.GERMAN, field="file")
    form = {"include[]": "logprobs", "language": "de"}
    answer = (await client.post(PATH, data=form, files=files)).json()
    spelled = b"".join(bytes(token["bytes"]) for token in answer["logprobs"])
    assert spelled.decode().strip() == answer["text"]
    assert all(-20 < token["logprob"] <= 0 for token in answer["logprobs"])


async def test_a_language_is_told_before_longer_jobs_are_done(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    samples = sounds.recorded(sounds.GERMAN, tmp_path).path.read_bytes()
    detected: list[dict[str, Any]] = []
    async with trio.open_nursery() as nursery:
        for _ in range(2):  # the house is full
            nursery.start_soon(partial(transcribe, client))
        await process.until(partial(is_full, client))
        query = "encode=false&video_file=film.mkv"  # as Bazarr sends the sound of a film
        answer = await client.post(
            f"/detect-language?{query}", files={"audio_file": samples}, timeout=200
        )
        detected.append(answer.json())
        assert await process.in_flight(client) == 1
        nursery.cancel_scope.cancel()
    (told,) = detected
    assert (told["detected_language"], told["language_code"]) == ("german", "de")
    assert 0.5 < told["confidence"] <= 1


async def test_of_silence_a_language_is_guessed_without_much_conviction(
    client: httpx.AsyncClient,
) -> None:
    files = {"audio_file": bytes(5 * 32_000)}
    answer = await client.post("/detect-language?encode=false", files=files)
    assert answer.status_code == 200
    assert answer.json()["confidence"] <= 0.1


async def transcribe(client: httpx.AsyncClient) -> None:
    await client.post("/asr?output=txt", files=process.upload(sounds.AUSTEN))


async def is_full(client: httpx.AsyncClient) -> bool:
    queue = (await client.get("/queue-metrics")).json()["queue"]
    return bool(queue["requests_in_flight"] == queue["requests_queued"] == 1)


async def test_of_a_film_the_default_track_is_heard_or_the_one_asked_for(
    client: httpx.AsyncClient, tmp_path: Path
) -> None:
    tracks = ("-i", str(sounds.GERMAN), "-map", "0:a", "-map", "1:a")
    marks = ("-disposition:a:0", "0", "-disposition:a:1", "default")
    film = sounds.as_file(sounds.JFK, tmp_path / "film.mkv", *tracks, *marks)
    heard = {
        query: (await client.post(f"/asr?output=txt{query}", files=process.upload(film))).text
        for query in ("", "&audio_track=1", "&audio_track=3")
    }
    assert "Guten Morgen" in heard[""]
    assert "your country" in heard["&audio_track=1"]
    assert "there are 2 audio tracks" in heard["&audio_track=3"]
