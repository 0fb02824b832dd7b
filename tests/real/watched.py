"""The program's engine and networks, with something around each of their calls."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import asr.building
from asr.actors.tools import Tools

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    Around = Callable[[str], AbstractContextManager[object]]


class Watched:
    """Somebody's calls, and those of the tasks that they begin, each inside of ``around(name)``."""

    def __init__(self, inner: Any, who: str, around: Around) -> None:
        self._inner, self._who, self._around = inner, who, around

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        return partial(self._call, name, found) if callable(found) else found

    def _call(self, name: str, call: Callable[..., Any], *arguments: Any) -> Any:
        with self._around(f"{self._who}.{name}"):
            answer = call(*arguments)
        begun = name == "begin" and answer is not None
        return Watched(answer, self._who, self._around) if begun else answer


def watch(around: Around, *, engine: Callable[..., Any], tools: Callable[..., Tools]) -> None:
    """Have ``asr.building`` make its engine and its networks so from now on, watched.

    The names of calls are those such as ``engine.advance`` and ``diarizer.begin``.
    """
    setattr(asr.building, "load_engine", partial(_watched, around, "engine", engine))  # noqa: B010
    setattr(asr.building, "tools", partial(_watched_tools, around, tools))  # noqa: B010 - as a test


def _watched(around: Around, who: str, make: Callable[..., Any], *arguments: Any) -> Any:
    return Watched(make(*arguments), who, around)


def _watched_tools(around: Around, make: Callable[..., Tools], *arguments: Any) -> Tools:
    tools = make(*arguments)
    return Tools(
        finder=partial(_watched, around, "finder", tools.finder),
        diarizer=tools.diarizer and partial(_watched, around, "diarizer", tools.diarizer),
        aligner=tools.aligner and partial(_watched, around, "aligner", tools.aligner),
        find_letters=tools.find_letters,
        fetch_letters=tools.fetch_letters,
        networks=tools.networks,
    )
