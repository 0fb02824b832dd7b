"""The command line of ``jobs``: what can be asked of a running server about them."""

import argparse
from pathlib import Path

from asr.terminal.wording import (
    FORMATS,
    Command,
    count,
    file,
    fill_files,
    fill_layout,
    fill_speakers,
)

RESULT_FORMATS = (*FORMATS, "verbose_json", "diarized_json")
# As ``actors.jobs.queue`` has them, whose import takes time that help must not.
STATES = ("queued", "running", "done", "failed", "cancelled")


def jobs_actions() -> tuple[Command, ...]:
    """What can be done with jobs, in the order of the help."""
    return (
        Command("submit", "send files, and print the ids of their jobs", _fill_submit),
        Command("list", "list the jobs, the newest first", _fill_list),
        Command("show", "print all that is known of a job", _fill_ids),
        Command("watch", "follow jobs until they end", _fill_ids),
        Command("result", "print what a job has brought, in any format", _fill_result),
        Command("cancel", "end jobs that have not ended", _fill_ids),
        Command("delete", "delete jobs with their audio and results", _fill_ids),
    )


def _fill_submit(parser: argparse.ArgumentParser) -> None:
    fill_files(parser)
    parser.set_defaults(words=True, json_lines=False, progress=False)
    fill_speakers(parser.add_argument_group("speakers"))
    group = parser.add_argument_group("jobs")
    group.add_argument(
        "--priority", choices=("interactive", "batch"), help="batch by default: others go first"
    )
    group.add_argument("--webhook-url", metavar="URL", help="an address to be told of the end")
    group.add_argument(
        "--again",
        action="store_true",
        help="make new jobs; without it the same files and options are the same jobs",
    )
    output = parser.add_argument_group("output", "the ids of the jobs go to stdout, unless:")
    output.add_argument(
        "--wait", action="store_true", help="wait for the jobs, and print their texts instead"
    )
    output.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="wait for the jobs, and write STEM.FORMAT files there",
    )
    fill_layout(parser.add_argument_group("subtitles", "for srt and vtt"))
    _fill_server(parser)


def _fill_list(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", choices=STATES, help="only jobs in this state")
    parser.add_argument("--limit", type=count, default=50, metavar="N", help="so many at most: 50")
    _fill_server(parser)


def _fill_ids(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("ids", nargs="+", metavar="ID", help="of a job, as submit and list say it")
    _fill_server(parser)


def _fill_result(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of a job that is done")
    parser.add_argument(
        "--format", choices=RESULT_FORMATS, default="txt", help="what it is written as: txt"
    )
    parser.add_argument(
        "--no-speakers", action="store_true", help="leave out who speaks, if that is known"
    )
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write it there instead of to stdout"
    )
    fill_layout(parser.add_argument_group("subtitles", "for srt and vtt"))
    _fill_server(parser)


def _fill_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    group.add_argument(
        "--url", help="of the server, as http://host:9001; by default that of HOST and PORT"
    )
    group.add_argument(
        "--key-file", type=file, metavar="FILE", help="that holds the key which the server wants"
    )
    group.add_argument("--key", help="the key itself, for all to see who may list processes")
    group.add_argument("--json", action="store_true", help="objects of JSON, one a line")
