"""Clients who leave at any moment, from a seed: the real engine and networks take no harm."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import httpx
import pytest
import trio
from prometheus_client.parser import text_string_to_metric_families

from tests.http.wire import asr_form, connect_to, form, post
from tests.real import left, process, sounds

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

COUNT = 25
AT_ONCE = 6
SEED = 20261122
LONGEST_S = 3.0  # some are answered before that: who is served leaves, too

AUDIO = sounds.JFK.read_bytes()
SPEECH = "/v1/audio/transcriptions"
WORDS = {"response_format": "verbose_json", "timestamp_granularities[]": "word"}
REQUESTS = (
    post("/asr?output=json", asr_form(audio=AUDIO)),
    post("/asr?output=json&word_timestamps=true", asr_form(audio=AUDIO)),
    post("/asr?output=json&diarize=true", asr_form(audio=AUDIO)),
    post("/detect-language", asr_form(audio=AUDIO)),
    post(SPEECH, form(WORDS, audio=AUDIO)),
    post(SPEECH, form({"stream": "true"}, audio=AUDIO)),
    post(SPEECH, form({"stream": "true", "diarize": "true"}, audio=AUDIO)),
)


async def leave(server: process.Server, chance: random.Random) -> None:
    """Ask for something, and leave in the middle of it."""
    request, until_s = chance.choice(REQUESTS), chance.uniform(0, LONGEST_S)
    async with await connect_to(server.url) as stream:
        with trio.move_on_after(until_s):
            await stream.send_all(request)
            while await stream.receive_some():
                pass


async def leave_again_and_again(server: process.Server, count: int, seed: int) -> None:
    """So many clients, a few of them at once."""
    chance = random.Random(seed)
    places = trio.CapacityLimiter(AT_ONCE)

    async def one(*, task_status: trio.TaskStatus[None]) -> None:
        async with places:
            task_status.started()
            await leave(server, chance)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            await nursery.start(one)


async def test_whoever_leaves_whenever_crashes_nothing(
    environment: dict[str, str], log: Path
) -> None:
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, PRELOAD_MODEL="tiny.en") as server,
    ):
        async with httpx.AsyncClient(base_url=server.url, timeout=200) as client:
            files = process.upload(sounds.JFK)
            first = await client.post("/asr?output=json&diarize=true", files=files)
            await leave_again_and_again(server, COUNT, SEED)
            await left.nothing(server, client)
            again = await client.post("/asr?output=json&diarize=true", files=files)
            assert (again.status_code, again.json()) == (200, first.json())
            assert await restarts(client) == {}


async def restarts(client: httpx.AsyncClient) -> dict[str, float]:
    """How often each actor was started again, if it was."""
    families = text_string_to_metric_families((await client.get("/metrics")).text)
    return {
        sample.labels["actor"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "asr_restarts_total" and sample.value
    }
