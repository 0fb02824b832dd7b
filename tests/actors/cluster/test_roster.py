"""A worker is seen for as long as it is there: it says so long before its lease is over."""

from __future__ import annotations

import pytest
import trio

from asr.actors.cluster.worker import on_the_roster
from asr.actors.jobs.redis.roster import WorkerProcess
from tests.actors.cluster.town import Noticeboard
from tests.fakes import pass_time

ANNA = WorkerProcess("anna", "cpu")


class Counting(Noticeboard):
    """Knows when each beat came."""

    def __init__(self) -> None:
        super().__init__()
        self.beats_s: list[float] = []

    async def beat(self, worker: WorkerProcess) -> None:
        self.beats_s.append(trio.current_time())
        await super().beat(worker)


@pytest.mark.parametrize(("lease_s", "every_s"), [(0.9, 0.3), (3.0, 1.0), (15.0, 2.0)])
async def test_it_beats_three_times_a_lease_and_every_two_seconds(
    autojump_clock: trio.testing.MockClock, lease_s: float, every_s: float
) -> None:
    roster = Counting()
    began_s = trio.current_time()
    async with on_the_roster(roster, lambda: ANNA, lease_s=lease_s):
        await pass_time(3.5 * every_s)
        assert await roster.workers() == (ANNA,)
    assert [at_s - began_s for at_s in roster.beats_s] == pytest.approx(
        [0, every_s, 2 * every_s, 3 * every_s]
    )
    assert await roster.workers() == ()
