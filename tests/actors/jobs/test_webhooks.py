"""Addresses hear of the end of jobs: signed, again if need be, and none inside the house."""

from __future__ import annotations

import json
from base64 import b64encode
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import trio
from pydantic import SecretStr

from asr.actors.dialer import Dialer
from asr.actors.jobs.local.journal import JournalFailed
from asr.actors.jobs.local.queue import open_local
from asr.actors.jobs.queue import ENDED, Bounds, Job, QueueUnavailable, Run, UnknownJob
from asr.actors.jobs.settings import JobSettings
from asr.actors.jobs.signature import headers
from asr.actors.jobs.webhooks import (
    ANSWER_S,
    ATTEMPTS_MAX,
    FIRST_WAIT_S,
    LONGEST_WAIT_S,
    run_webhooks,
    wait_s,
)
from asr.pipeline.errors import StorageFull
from tests.actors.internet import HERE, Internet, answer, moved

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from trio.testing import MockClock

    from asr.actors.jobs.local.queue import LocalQueue

KEY = bytes(range(32))
SETTINGS = JobSettings(webhook_secret=SecretStr("whsec_" + b64encode(KEY).decode()))
BEGAN_S = 1_790_000_000.0
TAKEN = answer(b"", status="204 No Content")
BUSY = answer(b"", status="503 Busy")


def now() -> float:
    """Unix time as the mock clock has it."""
    return BEGAN_S + trio.current_time()


@dataclass
class Town:
    """A queue whose jobs are done at once, an internet, and what its servers have heard."""

    queue: LocalQueue
    internet: Internet
    heard: list[tuple[float, dict[str, str], bytes]] = field(default_factory=list)
    says: list[bytes] = field(default_factory=list)  # in turn; then the last one again
    forgotten: set[str] = field(default_factory=set)
    news: trio.Event = field(default_factory=trio.Event)

    async def describe(self, job_id: str) -> Mapping[str, Any]:
        if job_id in self.forgotten:
            raise UnknownJob
        standing = await self.queue.standing(job_id)
        return {"id": job_id, "state": standing.state, "ended_at": standing.ended_s, "é": None}

    async def listen(self, stream: trio.abc.Stream) -> None:
        """Hear the body, too, whose head the internet has heard."""
        head = self.internet.asked[-1]
        lines = [line.split(": ", 1) for line in head.partition("\r\n\r\n")[0].split("\r\n")[1:]]
        said = {name.lower(): value for name, value in lines}
        body = head.partition("\r\n\r\n")[2].encode()
        while len(body) < int(said["content-length"]):
            body += await stream.receive_some(1000)
        self.heard.append((trio.current_time(), said, body))
        await stream.send_all(self.says.pop(0) if len(self.says) > 1 else self.says[0])
        self.news.set()
        self.news = trio.Event()

    async def ends(self, job_id: str, webhook: str = "http://example.com/told") -> None:
        """A job is submitted and done."""
        await self.queue.submit(Job(job_id, "", webhook=webhook, created_s=now()))
        while (await self.queue.standing(job_id)).state not in ENDED:
            await trio.testing.wait_all_tasks_blocked()

    async def told(self, count: int) -> None:
        """Return when so many requests were heard."""
        while len(self.heard) < count:
            await self.news.wait()

    async def quiet(self, seconds: float) -> None:
        """Let time pass."""
        with trio.move_on_after(seconds):
            await trio.sleep_forever()


async def done(_run: Run) -> bytes:
    await trio.lowlevel.checkpoint()
    return b"text"


@asynccontextmanager
async def open_town(settings: JobSettings = SETTINGS) -> AsyncIterator[Town]:
    async with open_local(Bounds(), None, clock=now) as queue, trio.open_nursery() as nursery:
        town = Town(queue, Internet(nursery, names={"example.com": [HERE]}), says=[TAKEN])
        town.internet.says["/told"] = town.listen
        seams: dict[str, Any] = {
            "resolve": town.internet.resolve,
            "connect": town.internet.connect,
        }
        if settings.webhooks_private:
            seams["is_allowed"] = lambda _address: True
        await nursery.start(partial(queue.work, done, slots=2))
        run = partial(run_webhooks, queue, settings, describe=town.describe, now=now)
        await nursery.start(partial(run, dialer=Dialer(**seams)))
        yield town
        nursery.cancel_scope.cancel()


async def test_the_end_of_a_job_is_told_once_and_signed(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        await town.ends("job_1")
        await town.told(1)
        await town.quiet(10_000)
    ((_, said, body),) = town.heard
    told = json.loads(body)
    assert told["type"] == "job.done"
    assert told["data"] == {
        "id": "job_1",
        "state": "done",
        "ended_at": told["created_at"],
        "é": None,
    }
    assert (said["host"], said["content-type"]) == ("example.com", "application/json")
    at_s = int(said["webhook-timestamp"])
    assert at_s == int(BEGAN_S)
    assert told["id"] == said["webhook-id"] == f"msg_job_1_{int(BEGAN_S)}"
    signed = headers(KEY, message_id=told["id"], at_s=at_s, body=body)
    assert signed["webhook-signature"] == said["webhook-signature"]


async def test_who_does_not_take_it_is_told_again_later_and_later(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        town.says = [BUSY, BUSY, BUSY, TAKEN]
        await town.ends("job_1")
        await town.told(4)
        await town.quiet(10_000)
    times = [at_s for at_s, _, _ in town.heard]
    waits = [later - sooner for sooner, later in pairwise(times)]
    assert waits == [pytest.approx(wait, rel=0.25) for wait in (5, 10, 20)]
    assert len({said["webhook-id"] for _, said, _ in town.heard}) == 1
    assert len({said["webhook-signature"] for _, said, _ in town.heard}) == 4  # each at its time


async def test_in_the_end_it_is_given_up(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_town() as town:
        town.says = [BUSY]
        await town.ends("job_1")
        await town.told(ATTEMPTS_MAX)
        await town.quiet(100_000)
    assert len(town.heard) == ATTEMPTS_MAX
    assert "job job_1: its webhook was given up: 503" in caplog.messages


async def test_who_says_that_it_is_gone_is_not_told_again(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        town.says = [answer(b"", status="410 Gone")]
        await town.ends("job_1")
        await town.told(1)
        await town.quiet(10_000)
    assert len(town.heard) == 1


async def test_a_redirect_is_not_followed(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        town.says = [moved("http://example.com/other"), TAKEN]
        await town.ends("job_1")
        await town.told(2)
    assert all(asked.startswith("POST /told ") for asked in town.internet.asked)


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1"])
async def test_nobody_inside_is_told_whatever_a_name_means_by_then(
    autojump_clock: MockClock, address: str
) -> None:
    async with open_town() as town:
        town.says = [BUSY, TAKEN]
        await town.ends("job_1")
        await town.told(1)
        town.internet.names["example.com"] = [address]
        await town.quiet(100_000)
    assert town.internet.dialled == [(HERE, 80)]


async def test_those_inside_are_told_if_the_operator_allows_it(autojump_clock: MockClock) -> None:
    private = JobSettings(webhook_secret=SETTINGS.webhook_secret, webhooks_private=True)
    async with open_town(private) as town:
        town.internet.names["example.com"] = ["10.0.0.1"]
        await town.ends("job_1")
        await town.told(1)
    assert town.internet.dialled == [("10.0.0.1", 80)]


async def silent(_stream: trio.abc.Stream) -> None:
    await trio.sleep_forever()


async def test_a_server_that_does_not_answer_keeps_nobody_else_waiting(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        town.internet.says["/silent"] = silent
        await town.ends("job_1", "http://example.com/silent")
        await town.ends("job_2")
        await town.told(1)
        assert trio.current_time() < 1
        await town.quiet(ANSWER_S + 1.3 * FIRST_WAIT_S)
        again = [asked for asked in town.internet.asked if asked.startswith("POST /silent")]
        assert len(again) == 2


async def test_a_host_that_is_not_there_is_tried_again(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        town.internet.closed = {HERE}
        await town.ends("job_1")
        await trio.testing.wait_all_tasks_blocked()
        town.internet.closed = set()
        await town.told(1)
    assert 4 <= trio.current_time() <= 6


async def test_of_a_job_that_was_deleted_nothing_is_told(autojump_clock: MockClock) -> None:
    async with open_town() as town:
        town.forgotten.add("job_1")
        await town.ends("job_1")
        await town.quiet(10_000)
    assert town.internet.dialled == []


async def test_without_a_secret_nobody_is_told(autojump_clock: MockClock) -> None:
    async with open_town(JobSettings()) as town:
        await town.ends("job_1")
        await town.quiet(10_000)
    assert town.internet.dialled == []


async def test_a_queue_that_is_away_or_cannot_write_is_asked_again(
    autojump_clock: MockClock,
) -> None:
    async with open_town() as town:
        real, away = town.queue.take_notice, [QueueUnavailable(), JournalFailed(), StorageFull()]

        async def take_notice(*, lease_s: float) -> Any:
            await trio.lowlevel.checkpoint()
            if away:
                raise away.pop()
            return await real(lease_s=lease_s)

        town.queue.take_notice = take_notice  # type: ignore[method-assign]
        async with trio.open_nursery() as nursery:
            run = partial(run_webhooks, town.queue, SETTINGS, describe=town.describe, now=now)
            dialer = Dialer(resolve=town.internet.resolve, connect=town.internet.connect)
            await nursery.start(partial(run, dialer=dialer))
            await town.ends("job_1")
            await town.told(1)
            nursery.cancel_scope.cancel()
    assert away == []


def test_waits_double_to_an_hour() -> None:
    for attempt in range(1, ATTEMPTS_MAX):
        expected = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (attempt - 1))
        assert 0.8 * expected <= wait_s(attempt) <= 1.2 * expected
    assert len({wait_s(3) for _ in range(9)}) > 1
