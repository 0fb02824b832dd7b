"""Neither launchd nor a user's systemd can be had in a test: small ones stand in for them.

They keep the habits that cost others their services, such as a label that is free only later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from asr.terminal.launchd import LABEL
from asr.terminal.program import Ended, Program

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB = f"gui/501/{LABEL}"

# A path with what quoting may get wrong.
AWKWARD = """a b%h$HOME "c" d\\e 'f' ü"""


def program(*arguments: str, folder: str = "/cache", python: str = "/python") -> Program:
    return Program(python, arguments, Path(folder), (Path(folder),), 50.0)


@dataclass
class FakeSystemd:
    """A manager that does what it is told, unless it is told to fail."""

    fails: tuple[str, ...] = ()
    said: str = "MainPID=0\nActiveState=inactive\nExecMainCode=0\nExecMainStatus=0"
    ran: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str]) -> Ended:
        self.ran.append(tuple(argv))
        if any(word in argv for word in self.fails):
            return Ended(1, "Access denied")
        return Ended(0, self.said if "show" in argv else "")


@dataclass
class FakeLaunchd:
    """A domain with at most one job, whose label is free only some looks after its end."""

    loaded: bool = False
    ends_after: int = 0
    settles_after: int = 0
    ran: list[str] = field(default_factory=list)

    def __call__(self, argv: Sequence[str]) -> Ended:
        _, verb, name, *_ = argv
        if verb != "print":
            self.ran.append(verb)
        match verb:
            case "print" if name == JOB:
                if self.ran[-1:] == ["bootout"]:
                    self.loaded, self.ends_after = self.ends_after > 0, self.ends_after - 1
                return Ended(0 if self.loaded else 113, "\tstate = running\n\tpid = 7\n")
            case "bootout":
                return Ended(0, "")
            case "bootstrap":
                self.settles_after -= 1
                eio = "Bootstrap failed: 5: Input/output error"
                return Ended(5, eio) if self.settles_after >= 0 else Ended(0, "")
        return Ended(0, "")
