"""What a shell needs to complete our commands: one script a shell, made of the parser itself."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from asr.pipeline.languages import NAMES
from asr.pipeline.names import PUBLISHED, SHORT
from asr.terminal.arguments import make_parser
from asr.terminal.exits import DONE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

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
    """A command with what can be said after it; the program itself has no name."""

    name: str
    help: str
    slots: tuple[Slot, ...]

    @property
    def options(self) -> tuple[Slot, ...]:
        return tuple(slot for slot in self.slots if slot.names)

    @property
    def argument(self) -> Slot | None:
        """What follows without a name; none of our commands has two kinds of it."""
        return next((slot for slot in self.slots if not slot.names), None)


def show_script(shell: str) -> int:
    """Print the script for all that our command line knows."""
    sys.stdout.write(script(shell, make_parser()))
    return DONE


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for bash, zsh or fish."""
    return WRITERS[shell](tuple(_spoken(parser)))


def _spoken(parser: argparse.ArgumentParser) -> Iterator[Spoken]:
    """The program, then its commands."""
    yield Spoken("", "", tuple(_slots(parser)))
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, command in action.choices.items():
                yield Spoken(name, command.description or "", tuple(_slots(command)))


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


BASH = """\
_asr_service_words() {{
    compopt +o default 2> /dev/null
    COMPREPLY=($(compgen -W "$1" -- "$cur"))
}}
_asr_service() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD-1]}} cmd= i
    # --format=srt comes as three words.
    if [[ $cur == "=" ]]; then cur=
    elif [[ $prev == "=" ]]; then prev=${{COMP_WORDS[COMP_CWORD-2]}}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            {valued}) ((i++)); if [[ ${{COMP_WORDS[i]}} == "=" ]]; then ((i++)); fi ;;
            -* | "=") ;;
            *) cmd=${{COMP_WORDS[i]}}; break ;;
        esac
    done
    COMPREPLY=()
    case "$cmd $prev" in
{values}    esac
    case "$cmd $cur" in
{words}    esac
}}
complete -o default -F _asr_service asr-service
"""

# What is done once it is known what can stand here; no answer leaves it to readline, by its names
# of files. Old versions, such as that of macOS, have no compopt, and offer files everywhere.
BASH_KINDS: Mapping[Kind, str] = {
    "words": '_asr_service_words "{words}"',
    "file": ":",
    "folder": "compopt +o default -o dirnames 2> /dev/null",
    "text": "compopt +o default 2> /dev/null",
}


def bash(commands: tuple[Spoken, ...]) -> str:
    """Needs bash 3.2, and nothing else."""

    def done(slot: Slot | None) -> str:
        kind, words = (slot.kind, slot.words) if slot else ("text", ())
        return BASH_KINDS[kind].format(words=" ".join(words))

    words = ""
    for command in commands:
        names = tuple(name for slot in command.options for name in slot.names)
        offered = done(Slot((), "words", "", names))
        words += f'        "{command.name} -"*) {offered} ;;\n'
        words += f'        "{command.name} "*) {done(_argument(command, commands))} ;;\n'
    values, valued = _values(commands, done), " | ".join(_valued(commands[0]))
    return BASH.format(values=values, words=words, valued=valued)


ZSH = """\
#compdef asr-service
_asr_service() {{
    local cur=$words[CURRENT] prev=$words[CURRENT-1] cmd= i
    local -a said
    if [[ $cur == --*=* ]]; then
        prev=${{cur%%=*}}
        compset -P "*="
    fi
    for ((i = 2; i < CURRENT; i++)); do
        case $words[i] in
            {valued}) ((i++)) ;;
            -*) ;;
            *) cmd=$words[i]; break ;;
        esac
    done
    case "$cmd $prev" in
{values}    esac
    case "$cmd $cur" in
{words}    esac
}}
if [[ $funcstack[1] == _asr-service ]]
then _asr_service "$@"
else compdef _asr_service asr-service
fi
"""

ZSH_KINDS: Mapping[Kind, str] = {
    "words": "compadd -- {words}",
    "file": "_files",
    "folder": "_files -/",
    "text": "_message {help}",
}


def zsh(commands: tuple[Spoken, ...]) -> str:
    """To be evaluated after compinit, or kept as _asr-service in a folder of $fpath."""

    def done(slot: Slot | None) -> str:
        slot = slot or Slot((), "text", "nothing more")
        return ZSH_KINDS[slot.kind].format(words=" ".join(slot.words), help=_quoted(slot.help))

    def listed(title: str, entries: Iterator[tuple[str, str]]) -> str:
        told = " ".join(_quoted(f"{name}:{help}") for name, help in entries)
        return f"said=({told}); _describe {title} said"

    words = ""
    for command in commands:
        options = ((name, slot.help) for slot in command.options for name in slot.names)
        words += f'        "{command.name} -"*) {listed("-o option", options)} ;;\n'
        if command.name:
            offered = done(command.argument)
        else:
            offered = listed("command", ((each.name, each.help) for each in commands[1:]))
        words += f'        "{command.name} "*) {offered} ;;\n'
    values, valued = _values(commands, done), " | ".join(_valued(commands[0]))
    return ZSH.format(values=values, words=words, valued=valued)


FISH_KINDS: Mapping[Kind, str] = {
    "switch": "",
    "words": " -x -a '{words}'",
    "file": " -r -F",
    "folder": " -x -a '(__fish_complete_directories)'",
    "text": " -x",
}


def fish(commands: tuple[Spoken, ...]) -> str:
    """One line for each thing that can be said."""
    lines = ["complete -c asr-service -f"]
    for command in commands:
        seen = f"__fish_seen_subcommand_from {command.name}" if command.name else ""
        when = f"complete -c asr-service -n '{seen or '__fish_use_subcommand'}'"
        if command.name:
            about = f"-a {command.name} -d {_fish_quoted(command.help)}"
            lines.append(f"complete -c asr-service -n __fish_use_subcommand {about}")
        for slot in command.options:
            names = "".join(
                f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
                for name in slot.names
            )
            value = FISH_KINDS[slot.kind].format(words=" ".join(slot.words))
            lines.append(f"{when}{names}{value} -d {_fish_quoted(slot.help)}")
        if command.argument and command.argument.kind == "words":
            lines.append(f"{when} -a '{' '.join(command.argument.words)}'")
        elif command.argument:
            lines.append(f"{when} -F")
    return "\n".join(lines) + "\n"


def _values(commands: tuple[Spoken, ...], done: Callable[[Slot], str]) -> str:
    """What is done behind each option that has a value: branches of a ``case``."""
    branches = ""
    for command in commands:
        for slot in command.options:
            if slot.kind != "switch":
                said = " | ".join(f'"{command.name} {name}"' for name in slot.names)
                branches += f"        {said}) {done(slot)}; return ;;\n"
    return branches


def _argument(command: Spoken, commands: tuple[Spoken, ...]) -> Slot | None:
    """What follows without a name: after the program itself, a command."""
    if command.name:
        return command.argument
    return Slot((), "words", "", tuple(each.name for each in commands[1:]))


def _valued(command: Spoken) -> tuple[str, ...]:
    """The options that have a value behind them."""
    return tuple(n for slot in command.options if slot.kind != "switch" for n in slot.names)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


WRITERS: Mapping[str, Callable[[tuple[Spoken, ...]], str]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
}
