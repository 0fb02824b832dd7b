"""What stderr shows while files are being worked on: bars in a terminal, elsewhere rare lines.

stdout is left to the text alone.
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import trio
from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from asr.terminal.logs import ONE_LINE
from asr.terminal.tally import Tally, clock

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from rich.console import RenderableType

    from asr.terminal.tally import Going

REFRESH_S = 0.25
LINE_EVERY_S = 30.0  # where lines stay, in a log or a file

BAR_WIDTH = 24
NAME_WIDTH_MAX = 40
TAIL_LINES = 3
AROUND_LINES = 3  # of a terminal's height: the sum, and what should stay in sight


class Display:
    """Shows a tally, and lines among it."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._console = stderr_console()
        self._bars = (
            Live(
                get_renderable=self._bars_now,
                console=self._console,
                auto_refresh=False,  # by our own loop: what it shows changes there
                transient=True,
                redirect_stdout=False,
            )
            if self._console.is_terminal and not self._console.is_dumb_terminal
            else None
        )

    def say(self, line: str) -> None:
        """A line on stderr, above the bars if there are any."""
        self._console.print(Text(line.translate(ONE_LINE)), soft_wrap=True)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """No bars for a moment, or they would stand in the middle of the text."""
        if self._bars is None or not self._bars.is_started:
            yield
            return
        self._bars.stop()
        try:
            yield
        finally:
            self._bars.start(refresh=True)

    async def run(self) -> None:
        """Show how far it is, until cancelled."""
        if self._bars is None:
            while True:
                await trio.sleep(LINE_EVERY_S)
                self.say(self._tally.sentence(trio.current_time()))
        with self._bars:
            while True:
                self._bars.refresh()
                await trio.sleep(REFRESH_S)

    def _bars_now(self) -> RenderableType:
        width, height = self._console.size
        return picture(self._tally, trio.current_time(), width=width, height=height)


@asynccontextmanager
async def open_display(tally: Tally) -> AsyncIterator[Display]:
    """A display for as long as the context lasts."""
    display = Display(tally)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(display.run)
        yield display
        nursery.cancel_scope.cancel()


def stderr_console() -> Console:
    """Lines and bars for people; colours as the terminal and NO_COLOR say."""
    return Console(
        stderr=True, highlight=False, force_terminal=None if sys.stderr.isatty() else False
    )


def picture(tally: Tally, now_s: float, *, width: int, height: int) -> RenderableType:
    """A bar for each file that is being worked on, as far as there is room; what is said; a sum."""
    parts: list[RenderableType] = []
    if tally.tail:
        parts.append(Text(" ".join(tally.tail)[-TAIL_LINES * width :], style="dim"))
    if tally.loading:
        parts.append(Text("loading the model"))
    rows = Table.grid(padding=(0, 1))
    rows.add_column(no_wrap=True, overflow="ellipsis", max_width=NAME_WIDTH_MAX)
    for justify in ("left", "left", "right", "right", "right"):
        rows.add_column(no_wrap=True, justify=justify)
    for going in tally.going[: max(1, height - AROUND_LINES - TAIL_LINES)]:
        rows.add_row(*_row(going, now_s))
    parts.append(rows)
    if tally.files > 1 and not tally.loading:
        parts.append(Text(_sum(tally, now_s), style="bold"))
    return Group(*parts)


def _row(going: Going, now_s: float) -> tuple[RenderableType, ...]:
    bar = ProgressBar(
        total=going.total_s or None,  # one that only moves, while that is not known
        completed=going.done_s,
        width=BAR_WIDTH,
        animation_time=now_s,
    )
    speed, left_s = going.speed(now_s), going.left_s(now_s)
    return (
        Text(going.name.translate(ONE_LINE)),
        going.state,
        bar,
        f"{going.done_s / going.total_s:.0%}" if going.total_s else "",
        f"{speed:.1f}x" if speed else "",
        f"{clock(left_s)} left" if left_s is not None else "",
    )


def _sum(tally: Tally, now_s: float) -> str:
    failed = f", {tally.failed} failed" if tally.failed else ""
    speed = tally.speed(now_s)
    together = f", {speed:.1f} x realtime" if speed else ""
    return f"{tally.over} of {tally.files} files{failed}{together}"
