"""The fields of a query and a form: how one is read, and how it is described.

A ``Parameter`` says both once. What reads requests and what describes the API share it, so neither
can know a field that the other does not.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from asr.pipeline.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    Pairs = Iterable[tuple[str, str]]

T = TypeVar("T")
D = TypeVar("D")

FLAGS = MappingProxyType(
    {
        **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
        **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
    }
)

# How lists are named: ``include[]`` by OpenAI's SDKs, ``include[0]`` by PHP's forms.
IN_LIST = re.compile(r"\[\d{0,4}\]$", re.ASCII)

COUNT_MAX = 9999
ECHO_MAX = 40  # characters of a client's word that are said back to it


@dataclass(frozen=True, slots=True, eq=False)
class Parameter(Generic[T]):
    """A field by name: its meaning in one sentence, its JSON schema, and the value of its text.

    ``parse`` takes the name and the text, and raises InvalidRequest. ``default`` is the value of a
    field that was not given. ``repeats`` is for a field that may be sent several times.
    """

    name: str
    help: str
    schema: Mapping[str, Any]
    parse: Callable[[str, str], T] = field(repr=False)
    default: T
    repeats: bool = False


@dataclass(frozen=True, slots=True)
class Fields:
    """What the client sent, by name. An empty value was not given; a list has its bare name."""

    values: Mapping[str, tuple[str, ...]]

    @staticmethod
    def gather(query: Pairs, form: Pairs) -> Fields:
        """Both sources in one; a name in the query hides the form's."""
        return Fields({**by_name(form), **by_name(query)})

    def given(self, parameter: Parameter[Any]) -> bool:
        """Whether the client said anything of it."""
        return parameter.name in self.values

    def read(self, parameter: Parameter[T]) -> T:
        """The value of a field, the last one if it was sent several times, or its default."""
        texts = self.values.get(parameter.name, ())
        return parameter.parse(parameter.name, texts[-1]) if texts else parameter.default

    def read_all(self, parameter: Parameter[T]) -> tuple[T, ...]:
        """Every value of a field, in order."""
        texts = self.values.get(parameter.name, ())
        return tuple(parameter.parse(parameter.name, text) for text in texts)

    def strangers(self, known: Iterable[Parameter[Any]]) -> tuple[str, ...]:
        """The names that are none of the known ones."""
        names = {parameter.name for parameter in known}
        return tuple(name for name in self.values if name not in names)


def by_name(pairs: Pairs) -> dict[str, tuple[str, ...]]:
    """Values by name, without the empty ones."""
    found: dict[str, list[str]] = {}
    for name, value in pairs:
        if value.strip():
            found.setdefault(bare_name(name), []).append(value.strip())
    return {name: tuple(values) for name, values in found.items()}


def bare_name(name: str) -> str:
    """A field's name without what makes it one of a list."""
    return IN_LIST.sub("", name)


def text(name: str, help: str, *, example: str, repeats: bool = False) -> Parameter[str | None]:
    """Any text."""
    schema = {"type": "string", "examples": [example]}
    return Parameter(name, help, schema, lambda _, text: text, None, repeats)


def flag(name: str, help: str, *, default: D) -> Parameter[bool | D]:
    """A yes or a no, in any of the usual spellings."""
    return Parameter(name, help, {"type": "boolean"}, lambda n, t: pick(n, t, FLAGS), default)


def choice(
    name: str, help: str, choices: Mapping[str, T], *, default: D, repeats: bool = False
) -> Parameter[T | D]:
    """One of the given words, in any case."""
    schema = {"type": "string", "enum": list(choices)}
    return Parameter(name, help, schema, lambda n, t: pick(n, t, choices), default, repeats)


def count(name: str, help: str, *, most: int = COUNT_MAX) -> Parameter[int | None]:
    """A whole number, at least 1."""

    def parse(name: str, text: str) -> int:
        decent = text.isascii() and text.isdecimal() and len(text) <= len(str(most))
        if not decent or not 1 <= int(text) <= most:
            raise wrong(name, text, f"a whole number from 1 to {most}")
        return int(text)

    return Parameter(name, help, {"type": "integer", "minimum": 1, "maximum": most}, parse, None)


def number(name: str, help: str, *, least: float, most: float) -> Parameter[float | None]:
    """A finite number between two bounds, both included."""

    def parse(name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:  # false for NaN, too
            raise wrong(name, text, f"a number from {least:g} to {most:g}")
        return value

    return Parameter(name, help, {"type": "number", "minimum": least, "maximum": most}, parse, None)


def pick(name: str, text: str, choices: Mapping[str, T]) -> T:
    """What a word stands for."""
    try:
        return choices[text.lower()]
    except KeyError:
        raise wrong(name, text, f"one of {', '.join(choices)}") from None


def wrong(name: str, text: str, wanted: str) -> InvalidRequest:
    """The error for a field whose value is not of its kind."""
    return InvalidRequest(f"{name} must be {wanted}, not {text[:ECHO_MAX]!r}", param=name)
