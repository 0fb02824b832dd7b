"""Two machines and a link between them that is cut: nobody is told, and both go on."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from asr.actors.jobs.queue import Bounds, Job
from asr.actors.jobs.redis.queue import RedisQueue, open_redis
from tests import redis_server
from tests.real.hosts import NEAR, two_hosts
from tests.real.process import RUN, until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.hosts import Hosts, Machine

LEASE_S = 3.0
PORT = 6379

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="there is no redis-server"),
]


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    with ExitStack() as held:
        try:
            made = held.enter_context(two_hosts())
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"nobody lets us have networks of our own here: {error}")
        yield made


@dataclass(frozen=True)
class Scene:
    """A queue on the near machine, and workers on both, who wait for files in the folder."""

    hosts: Hosts
    folder: Path

    @contextmanager
    def worker(self, name: str, machine: Machine) -> Iterator[None]:
        url = f"redis://{NEAR}:{PORT}/0"
        argv = ("-m", "tests.real.far_worker", url, str(LEASE_S), str(self.folder), name)
        with subprocess.Popen(machine.start(sys.executable, *argv), cwd=RUN.parent) as process:
            try:
                yield
            finally:
                process.kill()

    async def seen(self, mark: str) -> None:
        """Return when there is a file of that name."""

        async def there() -> bool:
            return (self.folder / mark).exists()

        await until(there, within_s=30.0)

    def say(self, mark: str) -> None:
        (self.folder / mark).touch()


@pytest.fixture
def scene(hosts: Hosts, tmp_path: Path) -> Iterator[Scene]:
    program = tmp_path / "server"
    program.write_text(f'#!/bin/sh\nexec {shlex.join(hosts.near.start("redis-server"))} "$@"\n')
    program.chmod(0o700)
    there = ("--port", str(PORT), "--bind", NEAR, "--protected-mode", "no")
    with redis_server.running(tmp_path, *there, program=str(program)):
        yield Scene(hosts, tmp_path)
        hosts.heal()


async def told(queue: RedisQueue, job_id: str) -> list[str]:
    """What has happened to a job that has ended."""
    async with queue.events(job_id) as events:
        return [event.kind async for event in events]


@pytest.mark.parametrize("finished", [False, True], ids=["at work", "finished meanwhile"])
async def test_who_was_cut_off_for_longer_than_its_lease_changes_nothing_when_it_is_back(
    scene: Scene, *, finished: bool
) -> None:
    async with open_redis(redis_server.address(scene.folder), Bounds(), lease_s=LEASE_S) as queue:
        with scene.worker("far", scene.hosts.far):
            await queue.submit(Job("one", "work"))
            await scene.seen("far-begun-one")
            scene.hosts.cut()
            with scene.worker("near", scene.hosts.near):
                await scene.seen("near-begun-one")  # a lease later
                assert (await queue.standing("one")).tries == 2
                if finished:
                    scene.say("far-finish-one")
                    await scene.seen("far-finished-one")  # and it cannot tell anybody
                scene.say("near-finish-one")
                kinds = await told(queue, "one")
            scene.hosts.heal()
            if not finished:
                await scene.seen("far-stopped-one")
            scene.say("far-finish-two")
            await queue.submit(Job("two", "work"))
            assert await told(queue, "two") == ["done"]  # so far has come back to its senses
        assert await queue.result("two") == b"far"
        assert await queue.result("one") == b"near"
        assert await told(queue, "one") == kinds == ["done"]
        assert (await queue.standing("one")).tries == 2
