"""The eviction sweeper: owns nothing, but reminds the owners of models that time has passed."""

from collections.abc import Sequence
from typing import Protocol

import trio


class Owner(Protocol):
    """Who holds something that may be freed when nobody has used it for a while."""

    async def drop_idle(self, older_than_s: float, /) -> object:
        """Free what was last used at least that long ago, and say so when it is done."""


async def run_sweeper(
    owners: Sequence[Owner],
    *,
    idle_s: float,
    every_s: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Each period, ask each owner in turn to drop what idles; with ``idle_s`` 0, return: never."""
    task_status.started()
    while idle_s > 0:
        await trio.sleep(every_s)
        for owner in owners:
            await owner.drop_idle(idle_s)
