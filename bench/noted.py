"""The program, with a line in a file for each thing that begins: when, for how long, and what.

    python -m bench.noted FILE

What it notes are the calls of its engine and of its networks, and the walks of its requests. The
clock is ``time.monotonic``, which all processes of a machine share.
"""

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, wraps
from pathlib import Path
from typing import IO, Any

import asr.run
from asr.actors.tools import Tools
from asr.blas import preload_blas


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


def read_notes(file: Path) -> Iterator[Note]:
    """What has been noted so far."""
    for line in file.read_text().splitlines():
        what, began, ended = line.split()
        yield Note(what, float(began), float(ended))


class Noted:
    """Somebody's calls, and those of the tasks that they begin."""

    def __init__(self, inner: Any, who: str, notebook: Notebook) -> None:
        self._inner, self._who, self._notebook = inner, who, notebook

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return partial(self._call, name, found) if callable(found) else found

    def _call(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        began_s = time.monotonic()
        try:
            answer = call(*arguments)
        finally:
            self._notebook.write(f"{self._who}.{name}", began_s)
        return Noted(answer, self._who, self._notebook) if name == "begin" else answer


def main() -> int:
    preload_blas()
    from asr.actors import house, transcriber  # which import MLX

    with Path(sys.argv[1]).open("a", buffering=1) as file:
        notebook = Notebook(file)
        make, tools = asr.run.load_engine, asr.run.tools
        walk = transcriber.transcribe

        @wraps(walk)
        async def transcribe(*arguments: Any, **named: Any) -> Any:
            notebook.write("walk", time.monotonic())
            return await walk(*arguments, **named)

        setattr(asr.run, "load_engine", partial(_noted, notebook, "engine", make))  # noqa: B010
        setattr(asr.run, "tools", partial(_noted_tools, notebook, tools))  # noqa: B010
        setattr(house, "transcribe", transcribe)  # noqa: B010
        return asr.run.main(["serve"])


def _noted(notebook: Notebook, who: str, make: Callable[..., Any], *arguments: Any) -> Any:
    return Noted(make(*arguments), who, notebook)


def _noted_tools(notebook: Notebook, make: Callable[..., Tools], *arguments: Any) -> Tools:
    tools = make(*arguments)
    return Tools(
        finder=partial(_noted, notebook, "finder", tools.finder),
        diarizer=tools.diarizer and partial(_noted, notebook, "diarizer", tools.diarizer),
        aligner=tools.aligner and partial(_noted, notebook, "aligner", tools.aligner),
        fetch_letters=tools.fetch_letters,
    )


if __name__ == "__main__":
    sys.exit(main())
