"""What several commands are asked for in the same words."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

FORMATS = ("txt", "json", "srt", "vtt", "tsv")


class Command(NamedTuple):
    """What can be asked for: its name, what it does, and what fills in its arguments.

    One with ``actions`` is followed by the name of one of them.
    """

    name: str
    help: str
    fill: Callable[[argparse.ArgumentParser], None] | None = None
    actions: tuple["Command", ...] = ()


def fill_files(parser: argparse.ArgumentParser) -> None:
    """Which files, and how they are transcribed."""
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
    parser.add_argument(
        "--audio-track", type=count, metavar="N", help="which one of a film, counted from 1"
    )


def fill_speakers(group: argparse._ArgumentGroup) -> None:
    """Who speaks."""
    group.add_argument(
        "--diarize",
        action="store_true",
        help="say who speaks; tsv then has a column for that, and its times in seconds",
    )
    group.add_argument("--speakers", type=count, metavar="N", help="how many they are")
    group.add_argument("--min-speakers", type=count, metavar="N", help="how many at least")
    group.add_argument("--max-speakers", type=count, metavar="N", help="how many at most")


def fill_layout(group: argparse._ArgumentGroup) -> None:
    """How subtitles look."""
    group.add_argument("--max-line-width", type=count, metavar="N", help="characters in a line")
    group.add_argument(
        "--max-line-count", type=count, metavar="N", help="lines in a cue, of a width"
    )
    group.add_argument("--max-words-per-line", type=count, metavar="N", help="words in a line")
    group.add_argument("--max-cue-seconds", type=seconds, metavar="S", help="time of a cue")
    group.add_argument("--highlight-words", action="store_true", help="underline words as spoken")


def file(text: str) -> Path:
    """A file that is there."""
    if not Path(text).is_file():
        raise argparse.ArgumentTypeError(f"there is no file {text!r}")
    return Path(text)


def count(text: str) -> int:
    """A whole number from 1 on."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def seconds(text: str) -> float:
    """A time, in seconds."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return number
