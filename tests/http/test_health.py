"""How the server is, told at once whatever else it does."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from tests.http.wire import FORM_TYPE, asr_form, until

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

    from tests.http.fakes import FakeHouse
    from tests.http.wire import Server


@pytest.mark.parametrize("accept", ["application/json", "*/*", "", None, "image/png"])
async def test_the_root_says_to_programs_what_runs(
    client: TestClientProtocol, accept: str | None
) -> None:
    answer = await client.get("/", headers={} if accept is None else {"Accept": accept})
    assert await answer.get_json() == {
        "status": "running",
        "service": "asr-service",
        "version": version("asr-service"),
        "device": "cpu",
        "serve_mode": "simple",
        "compute_type": "float32",
    }
    assert answer.headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("why", "status_code", "status"), [(None, 200, "healthy"), ("it burns", 503, "unhealthy")]
)
async def test_health_is_the_gpu_actors(
    client: TestClientProtocol,
    house: FakeHouse,
    why: str | None,
    status_code: int,
    status: str,
) -> None:
    house.why_broken = why
    house.degraded = ("diarizer",)
    answer = await client.get("/health")
    assert answer.status_code == status_code
    assert await answer.get_json() == {
        "status": status,
        "reason": why,
        "device": "cpu",
        "serve_mode": "simple",
        "loaded_models": ["base"],
        "degraded": ["diarizer"],
    }
    assert (await client.head("/health")).status_code == status_code


async def test_the_queue_is_told_in_the_reference_services_words(
    client: TestClientProtocol, house: FakeHouse
) -> None:
    house.running = 3
    assert await (await client.get("/queue-metrics")).get_json() == {
        "device": "cpu",
        "serve_mode": "simple",
        "loaded_models": ["base"],
        "queue": {
            "requests_queued": 0,
            "requests_in_flight": 3,
            "gpu_concurrency": 8,
            "max_queue_size": 32,
        },
    }


async def test_health_answers_while_every_place_is_busy(server: Server, house: FakeHouse) -> None:
    house.hold()
    headers = {"Content-Type": FORM_TYPE}
    async with httpx.AsyncClient(base_url=server.url) as client, trio.open_nursery() as busy:

        async def work() -> None:
            await client.post("/asr", content=asr_form(audio=bytes(900_000)), headers=headers)

        for _ in range(20):
            busy.start_soon(work)
        await until(lambda: house.running == 20)
        with trio.fail_after(5):  # how soon, says bench/service.py
            assert (await client.get("/health")).status_code == 200
        assert house.running == 20
        house.release()


async def test_metrics_begin_with_help_and_speak_openmetrics_when_asked(
    client: TestClientProtocol,
) -> None:
    plain = await client.get("/metrics")
    modern = await client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert plain.headers["Content-Type"].startswith("text/plain; version=")
    assert (await plain.get_data(as_text=True)).startswith("# HELP ")
    assert (await modern.get_data(as_text=True)).endswith("# EOF\n")
