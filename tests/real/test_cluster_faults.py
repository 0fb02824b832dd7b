"""Two hundred jobs over three workers and two fronts, while one after the other is in trouble.

One worker is killed, one frozen for longer than its lease and thawed, the queue's server killed and
started again, a front killed. Clients do as clients do: who hears nothing asks another front.
"""

from __future__ import annotations

import json
import signal
from collections import Counter
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from tests.real import process, sounds
from tests.real.machines import LASTING, Machine, Machines, machines
from tests.redis_server import needs_redis

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

pytestmark = [pytest.mark.real, pytest.mark.timeout(240), needs_redis]

JOBS = 200
LASTING_OF = 4  # of so many, all but one outlive who asks
AT_ONCE = 16  # of those; of the others half as many
LEASE_S = 3.0
PAUSE_S = 0.2

HELD_MAX = 8
JOBS_MAX = 40


@pytest.fixture(scope="module")
def town(
    tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]
) -> Iterator[Machines]:
    """Two fronts, and nobody who works yet."""
    bounds = {"MAX_QUEUE_SIZE": str(HELD_MAX), "ASR_JOBS_MAX": str(JOBS_MAX)}
    told = {**environment, **bounds, "ASR_LEASE_S": str(LEASE_S)}
    with machines(tmp_path_factory.mktemp("m"), told) as town:
        yield town


async def test_the_bounds_of_two_fronts_are_those_of_one_and_nothing_is_lost_or_done_twice(
    town: Machines,
) -> None:
    with ExitStack() as first:
        server = first.enter_context(town.redis(*LASTING))
        fronts = [town.start(name, "front", engine=None) for name in ("a", "b")]
        workers = [town.start(name, "work", "--slots", "2") for name in ("one", "two", "three")]
        for front in fronts:
            await trio.to_thread.run_sync(front.ready)
        for worker in workers:
            worker.signal(signal.SIGSTOP)
        await bounds_are_exact(fronts)
        for worker in workers:
            worker.signal(signal.SIGCONT)
            await trio.to_thread.run_sync(worker.ready)
        clients = Clients(fronts)
        with ExitStack() as second:
            trouble = Trouble(clients, workers, fronts)

            def restart() -> None:
                server.kill()
                server.wait()
                second.enter_context(town.redis(*LASTING))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(trouble.run, restart)
                await clients.all()
            assert trouble.made == ["killed", "frozen", "restarted", "thawed", "front killed"]
            clients.check()
            await nothing_is_left(fronts[1])


async def bounds_are_exact(fronts: list[Machine]) -> None:
    """More come at once than may, through both."""
    ends: Counter[int] = Counter()
    async with httpx.AsyncClient(timeout=60) as client, trio.open_nursery() as nursery:

        async def keep(number: int) -> None:
            url = fronts[number % 2].url
            answer = await client.post(f"{url}/v1/jobs", files=process.upload(sounds.JFK))
            ends[answer.status_code] += 1

        async def hold(number: int) -> None:
            url = fronts[number % 2].url
            answer = await client.post(f"{url}/asr", files=process.upload(sounds.JFK))
            ends[answer.status_code] += 1

        async with trio.open_nursery() as all_kept:
            for number in range(JOBS_MAX + 10):
                all_kept.start_soon(keep, number)
        assert ends == {202: JOBS_MAX, 503: 10}
        for number in range(HELD_MAX + 10):
            nursery.start_soon(hold, number)

        async def refused() -> bool:
            return ends[503] >= 20

        await process.until(refused)
        told = (await client.get(f"{fronts[0].url}/queue-metrics")).json()
        assert told["queue"]["max_queue_size"] == JOBS_MAX + HELD_MAX

        async def all_wait() -> bool:
            told = (await client.get(f"{fronts[0].url}/queue-metrics")).json()
            return bool(told["queue"]["requests_queued"] == JOBS_MAX + HELD_MAX)

        await process.until(all_wait)
        nursery.cancel_scope.cancel()
    assert ends == {202: JOBS_MAX, 503: 20}
    async with httpx.AsyncClient(base_url=fronts[1].url, timeout=60) as client:
        for job in (await client.get("/v1/jobs", params={"limit": 100})).json()["data"]:
            assert (await client.delete(f"/v1/jobs/{job['id']}")).status_code == 200


class Trouble:
    """What happens to machines, as their clients get on."""

    def __init__(self, clients: Clients, workers: list[Machine], fronts: list[Machine]) -> None:
        self.made: list[str] = []
        self._clients = clients
        self._workers = workers
        self._fronts = fronts

    async def run(self, restart: Callable[[], None]) -> None:
        await self._clients.have_done(JOBS // 8)
        self._workers[0].signal(signal.SIGKILL)
        self.made.append("killed")
        await self._clients.have_done(JOBS // 4)
        self._workers[1].signal(signal.SIGSTOP)
        self.made.append("frozen")
        frozen_s = trio.current_time()
        await self._clients.have_done(JOBS // 2)
        await trio.to_thread.run_sync(restart)
        self.made.append("restarted")
        with trio.move_on_at(frozen_s + 2 * LEASE_S):
            await trio.sleep_forever()
        self._workers[1].signal(signal.SIGCONT)
        self.made.append("thawed")
        await self._clients.have_done(JOBS * 5 // 8)
        self._fronts[0].signal(signal.SIGKILL)
        self._clients.dead.add(self._fronts[0].url)
        self.made.append("front killed")


class Clients:
    """Those who ask, and what they were answered, by their numbers."""

    def __init__(self, fronts: list[Machine]) -> None:
        self.dead: set[str] = set()
        self.texts: dict[int, list[str]] = {}
        self.ends: dict[int, list[str]] = {}
        self.ids: dict[int, set[str]] = {}
        self._fronts = fronts
        self._news = trio.Event()

    async def have_done(self, count: int) -> None:
        """Return when so many have their answers."""
        while len(self.texts) < count:
            await self._news.wait()

    async def all(self) -> None:
        """Have all of them ask."""
        kept, held = trio.CapacityLimiter(AT_ONCE), trio.CapacityLimiter(AT_ONCE // 2)
        async with httpx.AsyncClient(timeout=30) as client, trio.open_nursery() as nursery:
            for number in range(JOBS):
                if number % LASTING_OF:
                    nursery.start_soon(self._one, kept, self._keep, client, number)
                else:
                    nursery.start_soon(self._one, held, self._hold, client, number)

    async def _one(
        self, limit: trio.CapacityLimiter, ask: Ask, client: httpx.AsyncClient, number: int
    ) -> None:
        async with limit:
            attempt = number
            while not await self._answered(ask, client, attempt, number):
                attempt += 1
                with trio.move_on_after(PAUSE_S):
                    await trio.sleep_forever()
        self._news.set()
        self._news = trio.Event()

    async def _answered(
        self, ask: Ask, client: httpx.AsyncClient, attempt: int, number: int
    ) -> bool:
        front = self._fronts[attempt % len(self._fronts)]
        if front.url in self.dead:
            return False
        try:
            text = await ask(client, front.url, number)
        except (httpx.TransportError, Refused):
            return False
        self.texts.setdefault(number, []).append(text)
        return True

    async def _hold(self, client: httpx.AsyncClient, url: str, _number: int) -> str:
        """Who waits for the answer."""
        answer = await client.post(f"{url}/asr?output=txt", files=process.upload(sounds.JFK))
        return good(answer).text

    async def _keep(self, client: httpx.AsyncClient, url: str, number: int) -> str:
        """Who sends a job, follows it to its end, and fetches the result."""
        answer = await client.post(
            f"{url}/v1/jobs",
            files=process.upload(sounds.JFK),
            headers={"Idempotency-Key": f"number {number}"},
        )
        job_id = good(answer).json()["id"]
        self.ids.setdefault(number, set()).add(job_id)
        async with client.stream("GET", f"{url}/v1/jobs/{job_id}/events") as events:
            if events.status_code != 200:
                raise Refused(events.status_code)
            lines = [line async for line in events.aiter_lines()]
        kinds = [line[7:] for line in lines if line.startswith("event: ")]
        self.ends[number] = [kind for kind in kinds if kind in {"done", "failed", "cancelled"}]
        if not self.ends[number]:
            raise Refused("the stream was cut")
        return good(await client.get(f"{url}/v1/jobs/{job_id}/result?format=txt")).text

    def check(self) -> None:
        """Everybody has one answer, and the right one; a key is one job, which ended once."""
        assert self.texts == {number: ["word\n"] for number in range(JOBS)}
        kept = [number for number in range(JOBS) if number % LASTING_OF]
        assert self.ends == {number: ["done"] for number in kept}
        assert {number: len(ids) for number, ids in self.ids.items()} == dict.fromkeys(kept, 1)


class Refused(Exception):
    """Not now: ask again."""


def good(answer: httpx.Response) -> httpx.Response:
    """The answer, unless it says to come back."""
    if answer.status_code in {502, 503, 504}:
        raise Refused(answer.text)
    assert answer.status_code in {200, 202}, (answer.status_code, answer.text)
    return answer


async def nothing_is_left(front: Machine) -> None:
    """What is over is over everywhere."""
    async with httpx.AsyncClient(base_url=front.url, timeout=30) as client:

        async def idle() -> bool:
            told: dict[str, Any] = json.loads((await client.get("/queue-metrics")).text)["queue"]
            return not told["requests_queued"] and not told["requests_in_flight"]

        async def both_are_seen() -> bool:
            return "asr_workers 2.0" in (await client.get("/metrics")).text.splitlines()

        await process.until(idle)
        await process.until(both_are_seen)


if TYPE_CHECKING:
    Ask = Callable[[httpx.AsyncClient, str, int], Awaitable[str]]
