"""The command line: what can be asked for, and how it is spelt."""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from asr import __version__

FORMATS = ("txt", "json", "srt", "vtt", "tsv")

EXITS = """\
exit codes: 0 done, 1 a file failed, or doctor found something wrong, 2 wrong arguments or settings,
69 model or port unavailable, 70 internal error, 71 a thread that hangs, 128+n ended by signal n"""


class Command(NamedTuple):
    """What can be asked for: its name, what it does, and what fills in its arguments."""

    name: str
    help: str
    fill: Callable[[argparse.ArgumentParser], None] | None = None


def commands() -> tuple[Command, ...]:
    """All commands, in the order of the help; ``run.py`` runs each by its name."""
    return (
        Command("serve", "serve over HTTP (the default)"),
        Command("transcribe", "write what is said in files and folders", _fill_transcribe),
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
        type=_file,
        metavar="FILE",
        help="settings, in the place of the file .env beside run.py",
    )
    parser.set_defaults(command="serve")
    described = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, help, fill in commands():
        about = f"{help[0].upper()}{help[1:]}."
        command = described.add_parser(name, help=help, description=about, epilog=EXITS)
        command.set_defaults(command=name)
        if fill:
            fill(command)
    return parser


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """The arguments as a namespace whose ``command`` is the name of a command."""
    return make_parser().parse_args(argv)


def _fill_transcribe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="of any kind that ffmpeg reads; of a folder, all that is named like audio or video",
    )
    parser.add_argument(
        "--format", choices=FORMATS, help="what the text is written as: txt by default"
    )
    parser.add_argument("--model", help="a name that `models` lists")
    parser.add_argument("--language", help="a code or an English name; heard when left out")
    parser.add_argument(
        "--task",
        choices=("transcribe", "translate"),
        default="transcribe",
        help="translate: into English",
    )
    parser.add_argument("--prompt", help="text that goes before the first words")
    parser.add_argument("--words", action="store_true", help="times of every word, in json")
    parser.add_argument(
        "--audio-track", type=_count, metavar="N", help="which one of a film, counted from 1"
    )
    _fill_speakers(parser.add_argument_group("speakers"))
    _fill_layout(parser.add_argument_group("subtitles", "for srt and vtt"))
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
        "--seconds", type=_seconds, default=60.0, metavar="S", help="about how long: 60"
    )
    parser.add_argument("--json", action="store_true", help="the report as an object of JSON")


def _fill_doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="all findings as an object of JSON")


def _fill_speakers(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--diarize",
        action="store_true",
        help="say who speaks; tsv then has a column for that, and its times in seconds",
    )
    group.add_argument("--speakers", type=_count, metavar="N", help="how many they are")
    group.add_argument("--min-speakers", type=_count, metavar="N", help="how many at least")
    group.add_argument("--max-speakers", type=_count, metavar="N", help="how many at most")


def _fill_layout(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--max-line-width", type=_count, metavar="N", help="characters in a line")
    group.add_argument(
        "--max-line-count", type=_count, metavar="N", help="lines in a cue, of a width"
    )
    group.add_argument("--max-words-per-line", type=_count, metavar="N", help="words in a line")
    group.add_argument("--max-cue-seconds", type=_seconds, metavar="S", help="time of a cue")
    group.add_argument("--highlight-words", action="store_true", help="underline words as spoken")


def _fill_service(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("action", choices=("install", "uninstall", "status"))
    parser.add_argument(
        "--print", action="store_true", help="show the file that install writes, and do nothing"
    )


def _fill_completion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "shell", choices=("bash", "zsh", "fish"), help='as in eval "$(asr-service completion bash)"'
    )


def _file(text: str) -> Path:
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return seconds
