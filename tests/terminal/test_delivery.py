"""What a person reads at a terminal: lines of the text, and who says them in colours."""

from __future__ import annotations

import os
import re
import sys

import pytest

from tests.terminal.screen import Shown, at_a_terminal
from tests.terminal.test_run import ROOT

SPEAKERS = """
from dataclasses import replace
from pathlib import Path
import trio
from asr.pipeline.types import Options
from asr.terminal.delivery import Delivery, Ending
from asr.terminal.display import Display
from asr.terminal.job import Job
from asr.terminal.media import Source
from asr.terminal.tally import Tally
from tests.terminal.fakes import said

(segment,) = said("one").segments
def line(text, speaker=None):
    return replace(segment, text=f" {text}", speaker=speaker)

sources = tuple(Source(Path(name), Path(name)) for name in NAMES)
job = Job(sources, "txt", Options(diarize=DIARIZE))
heard = replace(said(""), segments=LINES)

async def main():
    delivery = Delivery(job, Display(Tally(len(sources), 0.0)))
    delivery.grow(heard.segments[:1])
    for number in reversed(range(len(sources))):
        delivery.deliver(number, Ending(sources[number], heard, 1.0))

trio.run(main)
"""


def shown(lines: str, *, names: tuple[str, ...] = ("a.mp3",), diarize: bool, **env: str) -> Shown:
    code = f"NAMES, DIARIZE = {names!r}, {diarize!r}\n" + SPEAKERS.replace("LINES", f"({lines})")
    known = {name: value for name, value in os.environ.items() if name != "NO_COLOR"}
    argv = [sys.executable, "-c", code]
    told = at_a_terminal(argv, env=known | {"PYTHONPATH": str(ROOT)} | env, cwd=ROOT)
    assert told.code == 0, told.text
    return told


TWO = 'line("Hello.", "Ann"), line("Hi, [b]Ann[/b]!", "Bob"), line("Bye.", "Ann"), line("x")'


def test_each_speaker_has_a_colour_and_nobody_has_none() -> None:
    told = shown(TWO, diarize=True)
    assert told.text.splitlines() == [
        "\x1b[1;36m[Ann] \x1b[0m\x1b[36mHello.\x1b[0m",
        "\x1b[1;35m[Bob] \x1b[0m\x1b[35mHi, [b]Ann[/b]!\x1b[0m",
        "\x1b[1;36m[Ann] \x1b[0m\x1b[36mBye.\x1b[0m",
        "x",
    ]


def test_who_wants_no_colour_gets_none() -> None:
    told = shown(TWO, diarize=True, NO_COLOR="1")
    plain = re.sub(r"\x1b\[[01]m", "", told.text).splitlines()  # bold is no colour
    assert plain == ["[Ann] Hello.", "[Bob] Hi, [b]Ann[/b]!", "[Ann] Bye.", "x"]


def test_what_has_grown_is_not_printed_again() -> None:
    told = shown('line("one"), line("two")', diarize=False)
    assert told.text.splitlines() == ["one", "two"]


def test_several_files_have_their_names_above_their_texts_and_keep_their_order() -> None:
    told = shown('line("one"),', names=("a.mp3", "b.mp3"), diarize=False)
    plain = re.sub(r"\x1b\[[01]m", "", told.text).splitlines()
    assert plain == ["a.mp3", "one", "b.mp3", "one"]


def test_a_name_that_is_no_text_is_shown_as_far_as_it_is_one() -> None:
    told = shown('line("one"),', names=("caf\udce9.mp3", "b.mp3"), diarize=False)
    assert "caf\N{REPLACEMENT CHARACTER}.mp3" in told.text


@pytest.mark.parametrize("text", [r"\x1b[2Jgone", r"\x07bell"])
def test_no_text_moves_the_cursor(text: str) -> None:
    told = shown(f'line("{text}"),', diarize=False)
    assert not {"\x07", "\x1b"} & set(told.text)
