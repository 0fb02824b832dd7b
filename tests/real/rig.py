"""Trouble on order: what a test tells the program ``rigged.py`` to do, through a folder.

An order is a file. It is named after a call, such as ``engine.advance`` or ``diarizer.begin``, and
says what the call is to do instead of its work, once or until it is lifted.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asr.pipeline.errors import NotEnoughMemory
from tests.real import process

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

# crash: an exception that nobody expects; torn: memory runs out; kill: the process is gone;
# hold: the call does not return until the order is lifted, and then does its work.
Trouble = Literal["crash", "torn", "kill", "hold"]

LOOK_EVERY_S = 0.005


@dataclass(frozen=True)
class Rig:
    """The folder of orders, seen from either side."""

    folder: Path

    def order(self, call: str, trouble: Trouble, *, always: bool = False) -> None:
        """Have the next call of that name, or each one, be in trouble."""
        draft = self.folder / f"{call}.draft"
        draft.write_text(f"{trouble} {'always' if always else 'once'}")
        draft.rename(self.folder / call)

    def lift(self, call: str) -> None:
        """Take an order back; who is held goes on."""
        (self.folder / call).unlink(missing_ok=True)
        (self.folder / f"{call}.held").unlink(missing_ok=True)

    async def held(self, call: str, *, within_s: float = 30.0) -> None:
        """Return when a call is being held."""

        async def seen() -> bool:
            return (self.folder / f"{call}.held").exists()

        await process.until(seen, within_s=within_s)

    @contextmanager
    def around(self, call: str) -> Iterator[None]:
        """In the program: do what was ordered for this call, before it does its work."""
        self._strike(call)
        yield

    def _strike(self, call: str) -> None:
        file = self.folder / call
        try:
            trouble, times = file.read_text().split()
        except FileNotFoundError:
            return
        if trouble == "hold":
            self._hold(call)
            return
        if times == "once":
            file.unlink(missing_ok=True)
        if trouble == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise NotEnoughMemory if trouble == "torn" else RuntimeError(f"{call} was rigged")

    def _hold(self, call: str) -> None:
        (self.folder / f"{call}.held").touch()
        clock = threading.Event()  # which nobody sets
        while (self.folder / call).exists():
            clock.wait(LOOK_EVERY_S)


def rigged(rig: Rig, *command: str, engine: Literal["real", "fake"]) -> tuple[str, ...]:
    """The program to start, for ``process.serving``; without a command it serves."""
    return ("-m", "tests.real.rigged", str(rig.folder), engine, *command)


@contextmanager
def serving_fake(
    environment: Mapping[str, str], log: Path, rig: Rig, **settings: str
) -> Iterator[process.Server]:
    """A server whose engine says "word", for as long as the context lasts."""
    program = rigged(rig, engine="fake")
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, program, **settings) as server,
    ):
        yield server
