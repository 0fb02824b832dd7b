"""The server as its clients see it: both dialects, every format, any container, the SDK."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from openai import AsyncOpenAI, BadRequestError, OpenAI
from openai.types.audio import TranscriptionTextDeltaEvent, TranscriptionTextDoneEvent

from tests.real import process, sounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time

JFK = "what your country can do for you"
CUE = r"00:00:0\d[.,]\d{3} --> 00:00:\d\d[.,]\d{3}\n.*fellow Americans"


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, PRELOAD_MODEL="tiny.en") as server,
    ):
        yield server


@pytest.fixture
async def client(server: process.Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=200) as client:
        yield client


@pytest.fixture
def sdk(server: process.Server) -> dict[str, Any]:
    """What every client of the SDK is made with."""
    return {"base_url": f"{server.url}/v1", "api_key": "any", "max_retries": 0, "timeout": 60}


async def asr(client: httpx.AsyncClient, file: Path, query: str) -> httpx.Response:
    return await client.post(f"/asr?{query}", files=process.upload(file))


@pytest.mark.parametrize(
    ("extension", "options", "query", "body"),
    [
        ("wav", ["-ar", "44100", "-ac", "2"], "output=txt", f".*{JFK}.*"),
        ("mp3", [], "output=srt", f"1\n{CUE}"),
        ("m4a", [], "output=vtt", f"WEBVTT\n\n{CUE}"),
        ("ogg", [], "output=tsv", r"start\tend\ttext\n\d+\t\d+\t.*fellow Americans"),
        ("flac", [], "output=json", '{"text":"And so my fellow Americans.*"language":"en"'),
        ("wav", ["-f", "s16le", "-ar", "16000"], "encode=false", f".*{JFK}.*"),
        ("flac", [], "output_format=srt", r'{"srt":"1\\n00:00:0.*fellow Americans'),
        ("webm", [], "language=english", r'{"text":\[{"id":0,.*"text":" And so my fellow'),
    ],
)
async def test_asr_hears_every_container_and_answers_in_every_format(
    client: httpx.AsyncClient,
    tmp_path: Path,
    extension: str,
    options: list[str],
    query: str,
    body: str,
) -> None:
    file = sounds.as_file(sounds.JFK, tmp_path / f"jfk.{extension}", *options)
    answer = await asr(client, file, query)
    assert answer.status_code == 200
    assert re.match(body, answer.text, re.IGNORECASE | re.DOTALL), answer.text


@pytest.mark.parametrize(
    ("format", "body"),
    [
        ("json", '{"text":"And so my fellow Americans.*"usage":{"type":"duration","seconds":11}}'),
        ("text", f".*{JFK}.*"),
        ("srt", f"1\n{CUE}"),
        ("vtt", f"WEBVTT\n\n{CUE}"),
        ("verbose_json", '{"task":"transcribe","language":"english",.*"duration":11.0,'),
    ],
)
async def test_openais_transcriptions_have_every_format(
    client: httpx.AsyncClient, format: str, body: str
) -> None:
    form = {"model": "whisper-1", "response_format": format}
    files = process.upload(sounds.JFK, field="file")
    answer = await client.post("/v1/audio/transcriptions", data=form, files=files)
    assert answer.status_code == 200
    assert re.match(body, answer.text, re.IGNORECASE | re.DOTALL), answer.text


async def test_german_is_heard_and_told_in_english(client: httpx.AsyncClient) -> None:
    files = process.upload(sounds.GERMAN, field="file")
    form = {"model": "base", "response_format": "verbose_json"}
    heard = (await client.post("/v1/audio/transcriptions", data=form, files=files)).json()
    told = (await client.post("/v1/audio/translations", data=form, files=files)).json()
    assert (heard["language"], heard["text"][:12]) == ("german", "Guten Morgen")
    assert (told["task"], told["language"]) == ("translate", "english")
    assert told["text"]
    assert "Guten Morgen" not in told["text"]


async def test_both_models_are_loaded_now_and_all_are_listed(client: httpx.AsyncClient) -> None:
    loaded = (await client.get("/health")).json()["loaded_models"]
    listed = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
    assert sorted(loaded) == ["base", "tiny.en"]
    assert {"whisper-1", "base", "tiny.en", "large-v3"} <= listed


async def test_junk_is_refused_in_words_that_tell_nothing_of_us(client: httpx.AsyncClient) -> None:
    files = {"audio_file": ("a.mp3", b"no sound at all" * 100)}
    answer = await client.post("/asr", files=files)
    assert answer.status_code == 400
    assert "failed to decode audio" in answer.text
    assert "/" not in answer.text


async def test_the_sdk_transcribes_in_a_thread(sdk: dict[str, Any]) -> None:
    def transcribe() -> str:
        with OpenAI(**sdk) as client, sounds.JFK.open("rb") as file:
            return client.audio.transcriptions.create(
                model="whisper-1", file=file, language="en", prompt="My fellow Americans:"
            ).text

    assert JFK in (await trio.to_thread.run_sync(transcribe)).lower()


# The SDK leaves its generators to the garbage collector once it has seen the last event.
@pytest.mark.filterwarnings("ignore:Async generator '(httpx2|openai):ResourceWarning")
async def test_the_sdk_streams_on_trio(sdk: dict[str, Any]) -> None:
    async with AsyncOpenAI(**sdk) as client:
        stream = await client.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=sounds.JFK, stream=True
        )
        *begun, done = [event async for event in stream]
    assert isinstance(done, TranscriptionTextDoneEvent)
    deltas = [event for event in begun if isinstance(event, TranscriptionTextDeltaEvent)]
    assert len(deltas) == len(begun) > 0
    assert "".join(event.delta for event in deltas) == done.text
    assert JFK in done.text.lower()


async def test_the_sdk_raises_its_own_error_for_an_unknown_model(sdk: dict[str, Any]) -> None:
    async with AsyncOpenAI(**sdk) as client:
        with pytest.raises(BadRequestError) as caught:
            await client.audio.transcriptions.create(model="none-such", file=sounds.JFK)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")


async def test_health_answers_while_a_transcription_runs(
    client: httpx.AsyncClient, record_property: Callable[[str, object], None]
) -> None:
    took_s: list[float] = []
    async with trio.open_nursery() as nursery:
        nursery.start_soon(asr, client, sounds.AUSTEN, "output=txt")
        await process.until(partial(is_at, client, 1))
        while await process.in_flight(client):
            began = trio.current_time()
            answer = await client.get("/health")
            took_s.append(trio.current_time() - began)
            assert answer.status_code == 200
    assert took_s
    took_s.sort()
    p50, p99 = (took_s[int(len(took_s) * share)] * 1000 for share in (0.5, 0.99))
    figures = f"of {len(took_s)}: p50 {p50:.1f} ms, p99 {p99:.1f}, max {took_s[-1] * 1000:.1f}"
    record_property("health", figures)
    assert p50 < 1000, figures  # milliseconds where nobody else is at work: see bench/service.py


async def test_who_hangs_up_leaves_nothing_behind(
    client: httpx.AsyncClient, server: process.Server
) -> None:
    async def decoding() -> bool:
        return await rows(client) > 0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(asr, client, sounds.AUSTEN, "output=txt&model=base")
        await process.until(decoding, within_s=30)
        assert await process.in_flight(client) == 1
        assert server.scratch() != []
        nursery.cancel_scope.cancel()
    await process.until(partial(is_at, client, 0))
    assert server.scratch() == []


async def is_at(client: httpx.AsyncClient, requests: int) -> bool:
    return await process.in_flight(client) == requests


async def rows(client: httpx.AsyncClient) -> float:
    """How many windows are being decoded."""
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("asr_rows "))
