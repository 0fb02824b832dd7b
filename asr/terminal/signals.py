"""SIGINT and SIGTERM: the first asks politely, the second ends the process."""

import os
import signal
import threading
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from asr.terminal.exits import INTERNAL, end_by_signal


async def watch_signals(
    first: Callable[[int], None],
    *,
    patience_s: float,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Call ``first`` with the number of the first signal; end the process at once at the second.

    The process also ends when it is still there ``patience_s`` after the first one: the last resort
    against a shutdown that hangs, in a thread because the event loop may be what hangs.
    """
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        task_status.started()
        number = await anext(signals)
        end_after(patience_s)
        first(number)
        # The receiver stays open: without it the second signal would mean what it means by
        # default, which for SIGINT is a traceback.
        os._exit(end_by_signal(await anext(signals)))


async def interruptible(work: Callable[[], Awaitable[int]], *, patience_s: float = 10.0) -> int:
    """The work's exit code; or, if a signal ends it first, that signal's."""
    seen: list[int] = []
    code = 0
    async with trio.open_nursery() as nursery:

        def leave(number: int) -> None:
            seen.append(number)
            nursery.cancel_scope.cancel()

        await nursery.start(partial(watch_signals, leave, patience_s=patience_s))
        code = await work()
        nursery.cancel_scope.cancel()
    return end_by_signal(seen[0]) if seen else code


def end_after(seconds: float, code: int = INTERNAL) -> None:
    """End the process after some seconds, unless it has ended by itself."""
    timer = threading.Timer(seconds, os._exit, (code,))
    timer.daemon = True
    timer.start()
