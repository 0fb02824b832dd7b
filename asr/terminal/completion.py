"""What a shell needs to complete our commands: one script a shell, made of the parser itself."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from asr.terminal.arguments import make_parser
from asr.terminal.exits import DONE
from asr.terminal.spoken import Kind, Slot, Spoken, further, spoken

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping


def show_script(shell: str) -> int:
    """Print the script for all that our command line knows."""
    sys.stdout.write(script(shell, make_parser()))
    return DONE


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """The script for bash, zsh or fish."""
    return WRITERS[shell](tuple(spoken(parser)))


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
            *)
                cmd=${{cmd:+$cmd }}${{COMP_WORDS[i]}}
                case $cmd in {groups}) ;; *) break ;; esac ;;
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
    for command in reversed(commands):  # actions before their command, whose pattern fits them, too
        names = tuple(name for slot in command.options for name in slot.names)
        offered = done(Slot((), "words", "", names))
        words += f'        "{command.name} -"*) {offered} ;;\n'
        words += f'        "{command.name} "*) {done(_argument(command, commands))} ;;\n'
    return BASH.format(
        values=_values(commands, done),
        words=words,
        valued=_valued(commands),
        groups=_said(commands),
    )


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
            *)
                cmd=${{cmd:+$cmd }}$words[i]
                case $cmd in {groups}) ;; *) break ;; esac ;;
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
    for command in reversed(commands):  # actions before their command, whose pattern fits them, too
        options = ((name, slot.help) for slot in command.options for name in slot.names)
        words += f'        "{command.name} -"*) {listed("-o option", options)} ;;\n'
        if actions := further(command, commands):
            names = ((each.name.split()[-1], each.help) for each in actions)
            offered = listed("action" if command.name else "command", names)
        else:
            offered = done(command.argument)
        words += f'        "{command.name} "*) {offered} ;;\n'
    return ZSH.format(
        values=_values(commands, done),
        words=words,
        valued=_valued(commands),
        groups=_said(commands),
    )


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
        when = f"complete -c asr-service -n '{_fish_when(command, commands)}'"
        if command.name:
            above = next(each for each in commands if each.name == command.above)
            where = f"complete -c asr-service -n '{_fish_when(above, commands)}'"
            lines.append(f"{where} -a {command.name.split()[-1]} -d {_fish_quoted(command.help)}")
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


def _fish_when(command: Spoken, commands: tuple[Spoken, ...]) -> str:
    """That so much has been said and, where there are more words to its name, none of them."""
    if not command.name:
        return "__fish_use_subcommand"
    said = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in command.name.split())
    actions = " ".join(each.name.split()[-1] for each in further(command, commands))
    return f"{said}; and not __fish_seen_subcommand_from {actions}" if actions else said


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
    if actions := further(command, commands):
        return Slot((), "words", "", tuple(each.name.split()[-1] for each in actions))
    return command.argument


def _valued(commands: tuple[Spoken, ...]) -> str:
    """The options before a command that have a value behind them: a pattern of a ``case``."""
    options = commands[0].options
    return " | ".join(name for slot in options if slot.kind != "switch" for name in slot.names)


def _said(commands: tuple[Spoken, ...]) -> str:
    """The commands that are followed by an action: a pattern of a ``case``."""
    return " | ".join(each.name for each in commands[1:] if further(each, commands))


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish_quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


WRITERS: Mapping[str, Callable[[tuple[Spoken, ...]], str]] = {
    "bash": bash,
    "zsh": zsh,
    "fish": fish,
}
