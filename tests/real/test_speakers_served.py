"""Who speaks, as clients are told: names for voices, vectors, events, and nothing left behind."""

from __future__ import annotations

import base64
import math
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio
from openai import OpenAI

from tests.real import process, sounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]  # a busy machine takes its time

TWO = sounds.RECORDINGS / "two-people.flac"

PATIENCE_S = 250
TRANSCRIPTIONS = "/v1/audio/transcriptions"
SPOKEN: dict[str, Any] = {"model": "tiny.en", "language": "en"}
DIARIZED = SPOKEN | {"response_format": "diarized_json"}


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, PRELOAD_MODEL="tiny.en") as server,
    ):
        yield server


@pytest.fixture
async def client(server: process.Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=PATIENCE_S) as client:
        yield client


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("excerpts")


@pytest.fixture(scope="module")
def talk(folder: Path) -> Path:
    """The first four turns: Austen's reader, Kennedy, the reader, Kennedy."""
    return excerpt(TWO, folder / "talk.flac", 0.3, 16.4)


@pytest.fixture(scope="module")
def voices(folder: Path) -> dict[str, str]:
    """Somebody's speech each, as data URLs; of those two, what they say after the talk."""
    clips = {
        "Kennedy": excerpt(TWO, folder / "kennedy.wav", 25.0, 27.4),
        "Austen": excerpt(TWO, folder / "austen.wav", 16.7, 24.7),
        "Machine": excerpt(sounds.GERMAN, folder / "machine.wav", 0.0, 4.5),
    }
    return {name: data_url(clip.read_bytes()) for name, clip in clips.items()}


def excerpt(source: Path, target: Path, start_s: float, end_s: float) -> Path:
    return sounds.as_file(source, target, before=("-ss", f"{start_s}", "-to", f"{end_s}"))


def data_url(clip: bytes) -> str:
    return f"data:audio/wav;base64,{base64.b64encode(clip).decode()}"


async def named(
    client: httpx.AsyncClient, talk: Path, voices: dict[str, str], told: dict[str, list[str]]
) -> None:
    """Add who speaks, as one who knows these voices is told, under their names."""
    known = {
        "known_speaker_names[]": list(voices),
        "known_speaker_references[]": list(voices.values()),
    }
    upload = process.upload(talk, field="file")
    answer = await client.post(TRANSCRIPTIONS, data=DIARIZED | known, files=upload)
    assert answer.status_code == 200, answer.text
    told[" ".join(voices)] = [segment["speaker"] for segment in answer.json()["segments"]]


async def test_who_is_known_is_named_and_nobody_else(
    client: httpx.AsyncClient, talk: Path, voices: dict[str, str]
) -> None:
    told = dict[str, list[str]]()
    async with trio.open_nursery() as nursery:
        for names in (["Kennedy", "Austen"], ["Austen", "Kennedy"], ["Kennedy"], ["Machine"]):
            known = {name: voices[name] for name in names}
            nursery.start_soon(named, client, talk, known, told)
    assert told == {
        "Kennedy Austen": ["Austen", "Kennedy"] * 2,
        "Austen Kennedy": ["Austen", "Kennedy"] * 2,
        "Kennedy": ["A", "Kennedy"] * 2,
        "Machine": ["A", "B"] * 2,
    }


@pytest.mark.parametrize(
    ("clip", "why"),
    [
        (b"no sound at all" * 99, "failed to decode audio"),
        (f"ffconcat version 1.0\nfile '{sounds.JFK}'\n".encode(), "failed to decode audio"),
        (sounds.JFK.read_bytes(), "2 to 10 s"),  # 11 s
    ],
)
async def test_a_clip_that_is_none_is_refused_by_its_place(
    client: httpx.AsyncClient, talk: Path, voices: dict[str, str], clip: bytes, why: str
) -> None:
    known = {
        "known_speaker_names[]": ["Kennedy", "Other"],
        "known_speaker_references[]": [voices["Kennedy"], data_url(clip)],
    }
    upload = process.upload(talk, field="file")
    answer = await client.post(TRANSCRIPTIONS, data=DIARIZED | known, files=upload)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert error["param"] == "known_speaker_references"
    assert error["message"].startswith("known_speaker_references[1]: ")
    assert why in error["message"]


async def test_every_label_has_a_voice_and_the_same_one_whatever_else_is_asked(
    client: httpx.AsyncClient, talk: Path
) -> None:
    found = list[dict[str, list[float]]]()

    async def ask(**more: Any) -> None:
        query = SPOKEN | {"diarize": True, "return_speaker_embeddings": True} | more
        answer = await client.post("/asr", params=query, files=process.upload(talk))
        told = answer.json()
        assert told["embedding_model"]
        vectors = told["speaker_embeddings"]
        labels = {segment["speaker"] for segment in told["segments"]}
        assert list(vectors) == sorted(labels)
        assert all(len(vector) == 256 for vector in vectors.values())
        assert all(math.hypot(*vector) == pytest.approx(1.0) for vector in vectors.values())
        found.append(vectors)

    await ask()
    async with trio.open_nursery() as nursery:  # others, with other numbers of speakers, beside it
        nursery.start_soon(ask)
        for more in ({"num_speakers": 1}, {"min_speakers": 3}, {"num_speakers": 20}):
            nursery.start_soon(partial(ask, **more))
    alone, *together = found
    assert list(alone) == ["SPEAKER_00", "SPEAKER_01"]
    assert alone in together
    assert min(map(len, together)) == 1  # who is asked for one speaker
    assert max(map(len, together)) >= 3


def test_a_stream_says_the_text_and_then_who_says_what(
    server: process.Server, talk: Path, voices: dict[str, str]
) -> None:
    sdk: Any = OpenAI(base_url=f"{server.url}/v1", api_key="any", timeout=PATIENCE_S)
    known = {
        "known_speaker_names": ["Kennedy"],
        "known_speaker_references": [voices["Kennedy"]],
    }
    events = list(
        sdk.audio.transcriptions.create(**DIARIZED, file=talk, stream=True, extra_body=known)
    )
    sdk.close()
    *begun, done = events
    deltas = [event for event in begun if event.type == "transcript.text.delta"]
    segments = [event for event in begun if event.type == "transcript.text.segment"]
    assert [*deltas, *segments, done] == events
    assert "".join(delta.delta for delta in deltas) == done.text
    assert "".join(segment.text for segment in segments).strip() == done.text
    assert [segment.speaker for segment in segments] == ["A", "Kennedy"] * 2
    assert len({segment.id for segment in segments}) == 4
    assert [segment["speaker"] for segment in done.segments] == ["A", "Kennedy"] * 2


async def test_who_leaves_during_all_of_it_leaves_nothing_behind(
    server: process.Server, client: httpx.AsyncClient, folder: Path, talk: Path
) -> None:
    again = ("-stream_loop", "8")  # five minutes: nobody is through with them by the first words
    long = sounds.as_file(TWO, folder / "long.flac", before=again)
    with trio.CancelScope() as leaving:
        async with client.stream(
            "POST",
            TRANSCRIPTIONS,
            data=DIARIZED | {"stream": "true"},
            files=process.upload(long, field="file"),
        ) as answer:
            async for line in answer.aiter_lines():
                if line == "event: transcript.text.delta":
                    assert server.scratch()
                    leaving.cancel()
    assert leaving.cancelled_caught

    async def nothing_left() -> bool:
        return await process.in_flight(client) == 0 and not server.scratch()

    await process.until(nothing_left)
    upload = process.upload(talk, field="file")
    next_one = await client.post(TRANSCRIPTIONS, data=DIARIZED, files=upload)
    assert [segment["speaker"] for segment in next_one.json()["segments"]] == ["A", "B"] * 2


@pytest.mark.parametrize(
    "samples", [sounds.silence(3.0), sounds.chords(3.0), sounds.silence(1 / 16_000)]
)
async def test_where_nobody_speaks_there_are_no_speakers(
    client: httpx.AsyncClient, tmp_path: Path, samples: Any
) -> None:
    sounds.made("nobody", samples, tmp_path)
    query = SPOKEN | {"diarize": True, "return_speaker_embeddings": True, "encode": False}
    query |= {"num_speakers": 2, "output": "json"}
    upload = process.upload(tmp_path / "nobody.pcm")
    told = (await client.post("/asr", params=query, files=upload)).json()
    assert told["segments"] == []
    assert told["speaker_embeddings"] == {}
