"""The eviction sweeper: owns nothing, but reminds the owners of models that time has passed."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import trio


class Owner(Protocol):
    """Who holds something that may be freed when nobody has used it for a while."""

    async def drop_idle(self, older_than_s: float, /) -> object:
        """Free what was last used at least that long ago, and say so when it is done."""


async def run_sweeper(
    owners: Sequence[Owner | None],
    *,
    idle_s: float,
    every_s: float,
    return_freed: Callable[[], Awaitable[object]] = trio.lowlevel.checkpoint,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Each period, ask each owner that is here to drop what idles; with ``idle_s`` 0, never.

    ``return_freed`` gives back to the system what they and their work have freed since.
    """
    task_status.started()
    while True:
        await trio.sleep(every_s)
        if idle_s > 0:
            for owner in filter(None, owners):
                await owner.drop_idle(idle_s)
        await return_freed()
