"""A terminal, what is typed at it, and what it shows."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import termios
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

ROWS, COLUMNS = 24, 100
WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Shown:
    """All that a program wrote to its terminal, and what it ended with."""

    code: int
    text: str


def at_a_terminal(
    argv: Sequence[str], *, env: Mapping[str, str], keys: str = "", cwd: Path | None = None
) -> Shown:
    """Run a program at a terminal of its own, at which all the keys are typed at once."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    with (
        os.fdopen(ours, "r+b", buffering=0) as screen,
        subprocess.Popen(
            argv,
            env={**env, "TERM": "xterm"},
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        ) as program,
    ):
        os.close(theirs)
        screen.write(keys.encode())
        shown = bytearray()
        with suppress(OSError):  # nobody is at the other end any more
            while part := screen.read(4096):
                shown += part
        try:
            code = program.wait(WITHIN_S)
        finally:
            program.kill()
    return Shown(code, shown.decode(errors="replace"))
