"""Several machines are as one: a front, a worker, and a process that is both, at a real Redis."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from asr.actors.jobs.redis.client import connect
from asr.terminal.exits import DONE
from tests.real import process, sounds
from tests.real.machines import Machine, Machines, machines
from tests.redis_server import needs_redis

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from asr.actors.jobs.redis.client import Client

pytestmark = [pytest.mark.real, pytest.mark.timeout(120), needs_redis]

AUDIO_BYTES = "{asr}:audio:bytes"
FRONT_BYTES_MAX = 160_000_000  # measured: 105 MB; with MLX or torch it would be 300 and more


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> Iterator[Machines]:
    """``front`` only serves, ``both`` does base as well, ``tiny`` only works, on tiny.en."""
    folder = tmp_path_factory.mktemp("m")
    with machines(folder, environment) as town, town.redis():
        town.start("front", "front", engine=None)
        town.start("both", ASR_WORKER_MODELS="base", GPU_CONCURRENCY="2")
        town.start("tiny", "work", "--slots", "1", ASR_WORKER_MODELS="tiny.en", PRELOAD_MODEL="")
        for machine in town.at.values():
            machine.ready()
        yield town


@pytest.fixture
async def client(town: Machines) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=town.at["front"].url, timeout=30) as client:
        yield client


@pytest.fixture
async def redis(town: Machines) -> AsyncIterator[Client]:
    async with connect(town.url) as redis:
        yield redis


def lines(machine: Machine, endpoint: str) -> list[dict[str, Any]]:
    """What a front told of its requests."""
    return [line for line in machine.told() if line.get("endpoint") == endpoint]


async def test_a_front_answers_as_a_server_that_works_itself(
    town: Machines, client: httpx.AsyncClient
) -> None:
    for url in (town.at["front"].url, town.at["both"].url):
        post = partial(client.post, timeout=30)
        answer = await post(f"{url}/asr?output=txt", files=process.upload(sounds.JFK))
        assert (answer.status_code, answer.text) == (200, "word\n")
        answer = await post(f"{url}/detect-language", files=process.upload(sounds.JFK))
        assert answer.json()["language_code"] == "en"
        files = process.upload(sounds.JFK, field="file")
        data = {"model": "whisper-1", "stream": "true", "progress": "true"}
        answer = await post(f"{url}/v1/audio/transcriptions", files=files, data=data)
        kinds = [line[7:] for line in answer.text.splitlines() if line.startswith("event: ")]
        assert "transcript.progress" in kinds
        assert "transcript.waveform" in kinds  # whenever it is drawn
        assert [kind for kind in kinds if kind != "transcript.waveform"][-2:] in (
            ["transcript.text.delta", "transcript.text.done"],
            ["transcript.progress", "transcript.text.done"],
        )
        assert '"delta": "word"' in answer.text


async def test_what_is_wrong_with_a_file_is_said_as_ever(client: httpx.AsyncClient) -> None:
    answer = await client.post("/asr", files={"audio_file": ("a.wav", b"no sound" * 100)})
    assert answer.status_code == 400
    assert "decode" in answer.json()["detail"]


async def test_a_job_is_done_by_whoever_has_its_model(
    town: Machines, client: httpx.AsyncClient
) -> None:
    path = "/v1/audio/transcriptions"
    for model, worker in (("base", "both"), ("tiny.en", "tiny"), ("base", "both")):
        before = len(lines(town.at["front"], path))

        async def told(before: int = before) -> bool:  # which is after the answer
            return len(lines(town.at["front"], path)) > before

        files = process.upload(sounds.JFK, field="file")
        answer = await client.post(path, files=files, data={"model": model})
        assert answer.status_code == 200
        await process.until(told)
        last = lines(town.at["front"], path)[-1]
        pid = town.at[worker].process.pid
        assert f"-{pid}-" in last["worker"], "who had its model"
        assert last["model"] == model


async def test_a_model_that_no_worker_has_is_not_waited_for(client: httpx.AsyncClient) -> None:
    files = process.upload(sounds.JFK, field="file")
    answer = await client.post("/v1/audio/transcriptions", files=files, data={"model": "large-v3"})
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "model_unavailable"


async def test_every_front_tells_of_the_whole(town: Machines, client: httpx.AsyncClient) -> None:
    for url in (town.at["front"].url, town.at["both"].url):

        async def seen(url: str = url) -> bool:  # a worker tells of itself from beat to beat
            told = (await client.get(f"{url}/queue-metrics")).json()
            return bool(told["queue"]["gpu_concurrency"] == 3 and "base" in told["loaded_models"])

        await process.until(seen)
        health = (await client.get(f"{url}/health")).json()
        assert (health["status"], health["device"]) == ("healthy", "cpu")
        assert "base" in health["loaded_models"]
        metrics = (await client.get(f"{url}/metrics")).text.splitlines()
        assert "asr_workers 2.0" in metrics
        assert "asr_worker_slots 3.0" in metrics
        assert "asr_queue_depth 0.0" in metrics
        assert "asr_queue_reachable 1.0" in metrics


async def test_who_leaves_stops_the_work_elsewhere(
    town: Machines, client: httpx.AsyncClient, redis: Client
) -> None:
    both = town.at["both"]
    both.rig.order("engine.advance", "hold")
    try:
        async with trio.open_nursery() as nursery:
            ask = partial(client.post, "/asr?output=txt", files=process.upload(sounds.GERMAN))
            nursery.start_soon(ask)
            await both.rig.held("engine.advance")
            assert int(await redis.get(AUDIO_BYTES) or 0) > 0
            nursery.cancel_scope.cancel()
        async with connect(town.url) as other:
            with trio.fail_after(10):  # measured: tens of milliseconds; a lease is 15 s
                while int(await redis.get(AUDIO_BYTES) or 0):
                    pass
                while await other.zcard("asr:{jobs}:leases"):
                    pass
    finally:
        both.rig.lift("engine.advance")


async def test_a_front_holds_neither_networks_nor_their_libraries(town: Machines) -> None:
    proc = trio.Path("/proc", str(town.at["front"].process.pid))
    if not await proc.exists():
        pytest.skip("there is no /proc here")
    mapped = await (proc / "maps").read_text()
    assert not [name for name in ("/mlx/", "/torch/") if name in mapped]
    status = await (proc / "status").read_text()
    (resident,) = (line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    assert int(resident) * 1024 < FRONT_BYTES_MAX


async def test_a_worker_that_is_told_to_end_hands_back_what_it_has(
    town: Machines, client: httpx.AsyncClient
) -> None:
    """The last test here: one worker is gone after it."""
    both = town.at["both"]
    again = town.start("again", "work", "--slots", "1", ASR_WORKER_MODELS="base")
    both.rig.order("engine.advance", "hold", always=True)
    answers: list[httpx.Response] = []

    async def ask() -> None:
        files = process.upload(sounds.AUSTEN)
        answers.append(await client.post("/asr?output=txt", files=files))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await both.rig.held("engine.advance")
        await trio.to_thread.run_sync(again.ready)
        both.signal(signal.SIGTERM)
        told_s = trio.current_time()
    took_s = trio.current_time() - told_s
    both.rig.lift("engine.advance")
    assert [answer.text for answer in answers] == ["word\nword\n"]

    async def told() -> bool:
        last = lines(town.at["front"], "/asr")[-1]  # of another request, until it is told
        return f"-{again.process.pid}-" in last.get("worker", "")

    await process.until(told)
    last = lines(town.at["front"], "/asr")[-1]
    assert last["tries"] == 1, "to hand back costs no try"
    assert took_s < 15, "nobody waited for a lease"
    assert both.process.wait(60) == DONE
