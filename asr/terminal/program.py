"""What a service manager is given to run, and how its own commands are run: told to the person who
asked, and without a shell.
"""

import shlex
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from asr.terminal.exits import FAILED

# A restart waits for the drain of the old server, which the operator may lengthen.
COMMAND_S = 900.0

NOT_STARTED = 127  # as shells have it


class Refused(Exception):
    """What was asked for cannot be done; the message is for a person."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


@dataclass(frozen=True, slots=True)
class Program:
    """The server as a service: which Python with which arguments, and what it is allowed.

    ``stop_s`` is the longest that it takes to end; it writes to ``folders`` and nowhere else.
    """

    python: str
    arguments: tuple[str, ...]
    cache_dir: Path
    folders: tuple[Path, ...]
    stop_s: float

    @property
    def command(self) -> tuple[str, ...]:
        """As a list of arguments. -P: a file in the folder it starts in must not pass for a module
        of Python's.
        """
        return (self.python, "-P", "-m", "asr.run", *self.arguments)

    @property
    def environment(self) -> dict[str, str]:
        """What it needs besides its settings: MLX's compiled kernels would go with each reboot."""
        return {"MLX_PTX_CACHE_DIR": str(self.cache_dir / "ptx")}


@dataclass(frozen=True, slots=True)
class State:
    """What the manager says of the service; a number is None where it says none."""

    running: bool
    pid: int | None = None
    ended_with: int | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """A command's exit code, and what it said on stdout and stderr."""

    code: int
    said: str


Run = Callable[[Sequence[str]], Ended]


def run_command(argv: Sequence[str]) -> Ended:
    """Run a command to its end. Raises Refused if it does not end."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=COMMAND_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Refused(f"{argv[0]} has not ended after {COMMAND_S:.0f} s") from None
    except OSError as error:
        return Ended(NOT_STARTED, f"{argv[0]} cannot be started: {error.strerror}")
    return Ended(done.returncode, done.stdout.strip())


@dataclass(frozen=True, slots=True)
class Shell:
    """Runs commands and says which ones, so that a person can do the same by hand."""

    run: Run
    say: Callable[[str], None]

    def look(self, *argv: str) -> Ended:
        """Run what changes nothing, and say nothing of it."""
        return self.run(argv)

    def do(self, *argv: str) -> None:
        """Run what changes something. Raises Refused if it fails."""
        ended = self.run(argv)
        if ended.code:
            raise Refused(f"{shlex.join(argv)} failed: {ended.said or f'exit code {ended.code}'}")
        self.say(f"ran      {shlex.join(argv)}")


class Manager(Protocol):
    """Who keeps a user's services running: one file describes one of them."""

    @property
    def file(self) -> Path:
        """Where the description belongs."""
        ...

    @property
    def log(self) -> str:
        """A command that shows what the service says."""
        ...

    @property
    def remark(self) -> str | None:
        """What a person should know once it is installed."""
        ...

    def find_problem(self, shell: Shell) -> str | None:
        """Why this manager cannot be asked; None if it can."""
        ...

    def describe(self, program: Program) -> bytes:
        """What belongs into the file."""
        ...

    def start(self, shell: Shell, program: Program) -> None:
        """Run what the file says, now and from now on at each login; an older one ends first."""
        ...

    def stop(self, shell: Shell, program: Program) -> None:
        """End it, now and from now on. The file is still there."""
        ...

    def forget(self, shell: Shell) -> None:
        """Notice that the file is gone."""
        ...

    def state(self, shell: Shell) -> State:
        """How it is."""
        ...
