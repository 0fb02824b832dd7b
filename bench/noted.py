"""The program, with a line in a file for each thing that begins: when, for how long, and what.

    python -m bench.noted FILE

What it notes are the calls of its engine and of its networks, and the walks of its requests. The
clock is ``time.monotonic``, which all processes of a machine share.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import IO, Any

import asr.building
import asr.run
from asr.blas import preload_blas
from tests.real.watched import watch


@dataclass(frozen=True, slots=True)
class Note:
    """A call, or the beginning of a walk, which is not noted to its end."""

    what: str
    began_s: float
    ended_s: float


class Notebook:
    """Writes a line at a time, whole, from any thread."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def write(self, what: str, began_s: float) -> None:
        self._file.write(f"{what} {began_s} {time.monotonic()}\n")

    @contextmanager
    def noted(self, call: str) -> Iterator[None]:
        """Write down a call, however it ends."""
        began_s = time.monotonic()
        try:
            yield
        finally:
            self.write(call, began_s)


def read_notes(file: Path) -> Iterator[Note]:
    """What has been noted so far."""
    for line in file.read_text().splitlines():
        what, began, ended = line.split()
        yield Note(what, float(began), float(ended))


def main() -> int:
    preload_blas()
    from asr.actors import house, transcriber  # which import MLX

    with Path(sys.argv[1]).open("a", buffering=1) as file:
        notebook = Notebook(file)
        walk = transcriber.transcribe

        @wraps(walk)
        async def transcribe(*arguments: Any, **named: Any) -> Any:
            notebook.write("walk", time.monotonic())
            return await walk(*arguments, **named)

        watch(notebook.noted, engine=asr.building.load_engine, tools=asr.building.tools)
        setattr(house, "transcribe", transcribe)  # noqa: B010
        return asr.run.main(["serve"])


if __name__ == "__main__":
    sys.exit(main())
