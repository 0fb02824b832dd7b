"""Both queues while everybody comes and leaves: see ``turmoil.py``, which has more cases."""

from pathlib import Path

import pytest

from tests.actors.jobs.turmoil import in_redis, on_disk
from tests.redis_server import needs_redis, redis_server

CASES = range(3)


@pytest.mark.parametrize("seed", CASES)
async def test_one_process_keeps_its_promises_in_any_order(seed: int, tmp_path: Path) -> None:
    await on_disk(seed, tmp_path)


@needs_redis
@pytest.mark.parametrize("seed", CASES)
async def test_a_shared_queue_keeps_its_promises_in_any_order(seed: int, tmp_path: Path) -> None:
    with redis_server(tmp_path) as url:
        await in_redis(seed, url)
