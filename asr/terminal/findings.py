"""What an examination finds, and how it is told: a line each, and what to do about it."""

from __future__ import annotations

import json
import platform
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.text import Text

from asr import __version__
from asr.terminal.exits import DONE, FAILED
from asr.terminal.logs import ONE_LINE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

State = Literal["right", "note", "wrong"]

STYLES: Mapping[State, str] = {"right": "green", "note": "yellow", "wrong": "bold red"}
SUBJECT_WIDTH = 12


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A ``note`` is worth knowing; ``todo`` says what would help."""

    subject: str
    state: State
    what: str
    todo: str = ""


def show(findings: Iterable[Finding]) -> int:
    """Tell each as it is found; the exit code, which says whether anything is wrong."""
    console = Console(highlight=False)
    about = f"asr-service {__version__}, Python {platform.python_version()}, {platform.platform()}"
    console.print(Text(about), soft_wrap=True)
    wrong = 0
    for finding in findings:
        wrong += finding.state == "wrong"
        line = Text(f"{finding.state:5}", style=STYLES[finding.state])
        line.append(f"  {finding.subject:{SUBJECT_WIDTH}} ", style="bold")
        line.append(finding.what.translate(ONE_LINE), style="default")
        console.print(line, soft_wrap=True)
        if finding.todo:
            indent = " " * (SUBJECT_WIDTH + 8)
            console.print(Text(f"{indent}{finding.todo}".translate(ONE_LINE)), soft_wrap=True)
    console.print(_sum(wrong))
    return FAILED if wrong else DONE


def write(findings: Iterable[Finding]) -> int:
    """The same as one object of JSON."""
    found = tuple(findings)
    wrong = sum(finding.state == "wrong" for finding in found)
    whole = {
        "version": __version__,
        "wrong": wrong,
        "findings": [asdict(finding) for finding in found],
    }
    sys.stdout.write(json.dumps(whole, indent=2) + "\n")
    return FAILED if wrong else DONE


def _sum(wrong: int) -> str:
    if not wrong:
        return "Nothing is wrong."
    return "One thing is wrong." if wrong == 1 else f"{wrong} things are wrong."
