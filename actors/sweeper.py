"""The eviction sweeper: owns nothing, but reminds the owners of models that time has passed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from asr.actors.settings import HouseSettings


class Owner(Protocol):
    """Who holds something that may be freed when nobody has used it for a while."""

    async def drop_idle(self, older_than_s: float, /) -> object:
        """Free what was last used at least that long ago, and say so when it is done."""


def sweeping(
    settings: HouseSettings, return_freed: Callable[[], Awaitable[object]]
) -> Callable[..., Awaitable[None]]:
    """The sweeper, as the operator wants it."""
    idle_s, every_s = settings.keep_alive_s, settings.eviction_interval_s
    return partial(run_sweeper, idle_s=idle_s, every_s=every_s, return_freed=return_freed)


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
