"""What can be said on our command line, in order: made of the parser itself."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asr.pipeline.languages import NAMES
from asr.pipeline.names import PUBLISHED, SHORT

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["switch", "words", "file", "folder", "text"]

# What can be said there besides other things: the parser leaves that open.
KNOWN: Mapping[str, tuple[str, ...]] = {
    "model": (*PUBLISHED, *SHORT),
    "language": tuple(NAMES),
}
KINDS: Mapping[object, Kind] = {"FILE": "file", "DIR": "folder"}


@dataclass(frozen=True, slots=True)
class Slot:
    """Something that can be said: an option by its names, or an argument, which has none."""

    names: tuple[str, ...]
    kind: Kind
    help: str
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spoken:
    """A command with what can be said after it; the program itself has no name.

    That of an action begins with its command: "jobs submit".
    """

    name: str
    help: str
    slots: tuple[Slot, ...]

    @property
    def above(self) -> str:
        """What is said before the last word of its name."""
        return self.name.rpartition(" ")[0]

    @property
    def options(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.slots if slot.names)

    @property
    def argument(self) -> Slot | None:
        """What follows without a name; none of our commands has two kinds of it."""
        return next((slot for slot in self.slots if not slot.names), None)


def spoken(parser: argparse.ArgumentParser, name: str = "") -> Iterator[Spoken]:
    """The program, then its commands, each with its actions behind it."""
    about = (parser.description or "") if name else ""
    yield Spoken(name, about, tuple(_slots(parser)))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for next, command in action.choices.items():
                yield from spoken(command, f"{name} {next}".lstrip())


def further(command: Spoken, commands: tuple[Spoken, ...]) -> tuple[Spoken, ...]:
    """The commands of the program, or the actions of a command."""
    return tuple(each for each in commands if each.name and each.above == command.name)


def _slots(parser: argparse.ArgumentParser) -> Iterator[Slot]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            continue
        names = tuple(action.option_strings)
        help = (action.help or "").partition(";")[0]
        words = tuple(map(str, action.choices or ())) or KNOWN.get(action.dest, ())
        if action.nargs == 0:
            yield Slot(names, "switch", help)
        elif words:
            yield Slot(names, "words", help, words)
        else:
            yield Slot(names, KINDS.get(action.metavar, "text"), help)
