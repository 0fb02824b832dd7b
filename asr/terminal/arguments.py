"""The command line: what can be asked for, and how it is spelt."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from asr import __version__
from asr.terminal.jobs_arguments import jobs_actions
from asr.terminal.wording import (
    Command,
    count,
    file,
    fill_files,
    fill_layout,
    fill_speakers,
    seconds,
)

EXITS = """\
exit codes: 0 done, 1 a file or job failed, or doctor found something wrong, 2 wrong arguments or
settings, 69 model, port or server unavailable, 70 internal error, 71 a thread that hangs, 75 the
queue's server is away, 128+n ended by signal n"""


def commands() -> tuple[Command, ...]:
    """All commands, in the order of the help; ``run.py`` runs each by its name."""
    return (
        Command("serve", "serve over HTTP (the default)"),
        Command("front", "serve over HTTP, and have others do the work: see QUEUE_URL"),
        Command("work", "do what fronts are asked for: see QUEUE_URL", _fill_work),
        Command("transcribe", "write what is said in files and folders", _fill_transcribe),
        Command(
            "jobs", "have a running server do it, and come back for it", actions=jobs_actions()
        ),
        Command("models", "list the models: where from, how large, what is loaded"),
        Command("bench", "measure how fast a recording is transcribed here", _fill_bench),
        Command("doctor", "look what is right here, what is wrong, and what to do", _fill_doctor),
        Command("service", "have the system keep the server running", _fill_service),
        Command("completion", "print what a shell needs to complete all this", _fill_completion),
    )


def make_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="asr-service",
        description="A speech-to-text server. Settings come from the environment and from .env.",
        epilog=EXITS,
    )
    parser.add_argument("--version", action="version", version=f"asr-service {__version__}")
    parser.add_argument(
        "--env-file",
        type=file,
        metavar="FILE",
        help="settings, in the place of the file .env beside run.py",
    )
    parser.set_defaults(command="serve")
    _describe(parser.add_subparsers(title="commands", metavar="COMMAND"), commands(), "command")
    return parser


def _describe(
    described: "argparse._SubParsersAction[argparse.ArgumentParser]",
    commands: tuple[Command, ...],
    said: str,
) -> None:
    """Have a parser for each command, which leaves its name in ``said``."""
    for name, help, fill, actions in commands:
        about = f"{help[0].upper()}{help[1:]}."
        command = described.add_parser(name, help=help, description=about, epilog=EXITS)
        command.set_defaults(**{said: name})
        if actions:
            further = command.add_subparsers(title="actions", metavar="ACTION", required=True)
            _describe(further, actions, "action")
        if fill:
            fill(command)


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments as a namespace whose ``command`` is the name of a command."""
    return make_parser().parse_args(argv)


def _fill_work(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--slots",
        type=count,
        metavar="N",
        help="jobs at once, in the place of ASR_JOBS_AT_ONCE and GPU_CONCURRENCY",
    )


def _fill_transcribe(parser: argparse.ArgumentParser) -> None:
    fill_files(parser)
    parser.add_argument("--words", action="store_true", help="times of every word, in json")
    fill_speakers(parser.add_argument_group("speakers"))
    fill_layout(parser.add_argument_group("subtitles", "for srt and vtt"))
    _fill_output(parser.add_argument_group("output", "the texts go to stdout, unless:"))


def _fill_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="write STEM.FORMAT files there, in the folders that the files are in; those that are "
        "there already, and newer than their file, are left as they are",
    )
    group.add_argument("--again", action="store_true", help="write those, too")
    group.add_argument(
        "--json-lines",
        action="store_true",
        help="for programs: an object of JSON a file on stdout, as soon as the file is done",
    )
    group.add_argument(
        "--progress", action="store_true", help="with objects in between that say how far it is"
    )


def _fill_bench(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "file", nargs="?", type=Path, metavar="FILE", help="of speech, best 4 minutes or more"
    )
    parser.add_argument("--model", help="a name that `models` lists")
    parser.add_argument("--words", action="store_true", help="with the times of every word")
    parser.add_argument("--diarize", action="store_true", help="with who speaks")
    parser.add_argument(
        "--seconds", type=seconds, default=60.0, metavar="S", help="about how long: 60"
    )
    parser.add_argument("--json", action="store_true", help="the report as an object of JSON")


def _fill_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="all findings as an object of JSON")


def _fill_service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "uninstall", "status"))
    parser.add_argument(
        "--print", action="store_true", help="show the file that install writes, and do nothing"
    )


def _fill_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell", choices=("bash", "zsh", "fish"), help='as in eval "$(asr-service completion bash)"'
    )
