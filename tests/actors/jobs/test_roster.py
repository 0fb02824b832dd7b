from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.redis.roster import RedisRoster, WorkerProcess
from tests.redis_server import needs_redis

if TYPE_CHECKING:
    from asr.actors.jobs.redis.client import Client

pytestmark = needs_redis

ANNA = WorkerProcess("anna", "metal", ("base", "large-v3"), ("base",), slots=4, busy=1)
BERT = WorkerProcess("bert", "cpu")


async def test_who_works_is_known_as_it_last_said(client: Client) -> None:
    roster = RedisRoster(client, lease_s=15)
    assert await roster.workers() == ()
    await roster.beat(BERT)
    await roster.beat(replace(ANNA, busy=0))
    await roster.beat(ANNA)
    assert await roster.workers() == (ANNA, BERT)


async def test_who_leaves_is_gone_at_once(client: Client) -> None:
    roster = RedisRoster(client, lease_s=15)
    await roster.beat(ANNA)
    await roster.leave("anna")
    await roster.leave("nobody")
    assert await roster.workers() == ()
    assert await client.dbsize() == 0


async def test_who_was_not_heard_of_is_gone_after_a_while(client: Client) -> None:
    roster = RedisRoster(client, lease_s=1)
    await roster.beat(ANNA)
    with trio.fail_after(5):
        while await roster.workers() != (BERT,):
            await roster.beat(BERT)


async def test_two_queues_have_workers_of_their_own(client: Client) -> None:
    await RedisRoster(client, lease_s=15, name="windows").beat(ANNA)
    assert await RedisRoster(client, lease_s=15).workers() == ()
