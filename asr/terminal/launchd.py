"""macOS's launchd: a property list in the user's own folder, and launchctl.

What the keys mean: launchd.plist(5); the commands: launchctl(1).
"""

import plistlib
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from asr.terminal.exits import UNAVAILABLE, USAGE
from asr.terminal.program import Program, Refused, Shell, State

LABEL = "local.asr-service"

# launchd restarts what did not succeed and knows no list of exit codes. What a restart does not
# change is made a success here, in the server's own process, because signals go to that one.
WRAPPED = (
    "import sys; from asr.run import main; code = main(); "
    f"sys.exit(0 if code in {(USAGE, UNAVAILABLE)} else code)"
)

# An agent gets the system's folders alone, and ffmpeg is where Homebrew or MacPorts put it.
PATH = "/opt/homebrew/bin:/usr/local/bin:/opt/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"

THROTTLE_S = 30  # between two starts: a server that crashes at once must not keep a Mac busy
LOOK_S = 0.5
# bootout returns before the label is free, which has been seen to take 5 s after the process ended;
# until then bootstrap fails with "5: Input/output error".
SETTLE_S = 15.0


@dataclass(frozen=True, slots=True)
class Launchd:
    """The domain of the user who is logged in at this Mac."""

    home: Path
    uid: int
    pause: Callable[[float], None] = time.sleep

    @property
    def file(self) -> Path:
        return self.home / "Library" / "LaunchAgents" / f"{LABEL}.plist"

    @property
    def logged(self) -> Path:
        """Where stdout and stderr go."""
        return self.home / "Library" / "Logs" / "asr-service.log"

    @property
    def log(self) -> str:
        return shlex.join(("tail", "-f", str(self.logged)))

    @property
    def remark(self) -> str | None:
        return None

    def find_problem(self, shell: Shell) -> str | None:
        if self.uid == 0:
            return "a service belongs to a user: do this as yourself, without sudo"
        asked = shell.look("launchctl", "print", self._domain)
        if asked.code:
            return f"launchd has no session of this user, who has to log in first ({asked.said})"
        return None

    def describe(self, program: Program) -> bytes:
        python, *_ = program.command
        return plistlib.dumps(
            {
                "Label": LABEL,
                "ProgramArguments": [python, "-P", "-c", WRAPPED, *program.arguments],
                "EnvironmentVariables": {"PATH": PATH, **program.environment},
                "WorkingDirectory": str(self.home),
                "RunAtLoad": True,
                "KeepAlive": {"SuccessfulExit": False},
                "ThrottleInterval": THROTTLE_S,
                "ExitTimeOut": ceil(program.stop_s),
                "ProcessType": "Interactive",  # others are slowed down in favour of what is
                "StandardOutPath": str(self.logged),
                "StandardErrorPath": str(self.logged),
                "Umask": 0o077,
            }
        )

    def start(self, shell: Shell, program: Program) -> None:
        self.stop(shell, program)
        shell.do("launchctl", "enable", self._job)  # whatever was said of it in System Settings
        self._bootstrap(shell)

    def stop(self, shell: Shell, program: Program) -> None:
        if not self._loaded(shell):
            return
        shell.do("launchctl", "bootout", self._job)
        for _ in range(ceil((program.stop_s + SETTLE_S) / LOOK_S)):
            if not self._loaded(shell):
                return
            self.pause(LOOK_S)
        raise Refused("the server that ran before did not stop")

    def forget(self, shell: Shell) -> None:
        """launchd reads the file when it is told to, and at each login."""

    def state(self, shell: Shell) -> State:
        return read_state(shell.look("launchctl", "print", self._job).said)

    @property
    def _domain(self) -> str:
        return f"gui/{self.uid}"

    @property
    def _job(self) -> str:
        return f"{self._domain}/{LABEL}"

    def _loaded(self, shell: Shell) -> bool:
        return shell.look("launchctl", "print", self._job).code == 0

    def _bootstrap(self, shell: Shell) -> None:
        """Load the file, which starts it; again for a while: launchd may still be cleaning up."""
        argv = ("launchctl", "bootstrap", self._domain, str(self.file))
        for _ in range(ceil(SETTLE_S / LOOK_S)):
            try:
                return shell.do(*argv)
            except Refused:
                self.pause(LOOK_S)
        return shell.do(*argv)


def read_state(said: str) -> State:
    """What launchctl prints of a job, whose own lines begin with one tab."""
    facts = dict(re.findall(r"^\t([a-z ]+) = (.+)$", said, re.MULTILINE))
    running = facts.get("state") == "running"
    ended = re.match(r"\d+", facts.get("last exit code", ""))
    return State(
        running=running,
        pid=int(facts["pid"]) if running and "pid" in facts else None,
        ended_with=int(ended[0]) if ended and not running else None,
    )
