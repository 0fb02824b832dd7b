"""systemd's user manager: a unit file in the user's own folder, and systemctl --user.

What quoting and the options mean: systemd.service(5), systemd.exec(5), systemd.unit(5). The options
that take rights away need user namespaces in a user's manager: since systemd 254 they are made, and
before that, or where the kernel allows none, these options do nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from asr.terminal.exits import UNAVAILABLE, USAGE
from asr.terminal.program import Program, Refused, Shell, State

UNIT = "asr-service.service"
UNSAFE = frozenset("\"'\\")
DESCRIPTORS = 65_536  # far more than is ever needed; the manager's own bound holds below that

TEMPLATE = """\
# Written by "asr-service service install", which replaces it. For changes of your own, such as
# variables for a proxy: systemctl --user edit asr-service
[Unit]
Description=Speech to text over HTTP (asr-service)
StartLimitIntervalSec=300
StartLimitBurst=5

[Service]
Type=exec
ExecStart=:{command}
Environment={environment}
Restart=on-failure
RestartSec=10
RestartPreventExitStatus={final}
KillMode=mixed
TimeoutStopSec={stop_s:.0f}
LimitNOFILE={descriptors}
UMask=0077
NoNewPrivileges=yes
PrivateTmp=yes
ProtectSystem=strict
ReadWritePaths={folders}
LockPersonality=yes
RestrictSUIDSGID=yes

[Install]
WantedBy=default.target
"""


@dataclass(frozen=True, slots=True)
class Systemd:
    """The manager of the user whose configuration is kept in this folder (~/.config)."""

    config: Path

    @property
    def file(self) -> Path:
        return self.config / "systemd" / "user" / UNIT

    @property
    def log(self) -> str:
        return "journalctl --user -u asr-service -f"

    @property
    def remark(self) -> str | None:
        return "It runs while you are logged in. To have it always: loginctl enable-linger"

    def find_problem(self, shell: Shell) -> str | None:
        asked = shell.look("systemctl", "--user", "show", "--property=Version")
        if asked.code:
            return (
                f"systemd's manager for this user does not answer ({asked.said}). A container's own"
                " restart policy does what it would do; elsewhere log in as the user whose service"
                " this is to be, sudo and su are not enough"
            )
        return None

    def describe(self, program: Program) -> bytes:
        if set(program.python) & UNSAFE:
            raise Refused(
                "systemd runs no program whose path has quotation marks or backslashes:"
                f" {program.python}",
                USAGE,
            )
        told = (f"{name}={value}" for name, value in program.environment.items())
        return TEMPLATE.format(
            command=quoted(*program.command),
            environment=quoted(*told),
            final=f"{USAGE} {UNAVAILABLE}",
            stop_s=program.stop_s,
            descriptors=DESCRIPTORS,
            folders=quoted(*map(str, program.folders)),
        ).encode()

    def start(self, shell: Shell, program: Program) -> None:
        shell.do("systemctl", "--user", "daemon-reload")
        shell.do("systemctl", "--user", "enable", UNIT)
        shell.look("systemctl", "--user", "reset-failed", UNIT)  # or it may have failed too often
        shell.do("systemctl", "--user", "restart", UNIT)

    def stop(self, shell: Shell, program: Program) -> None:
        shell.do("systemctl", "--user", "disable", "--now", UNIT)

    def forget(self, shell: Shell) -> None:
        shell.do("systemctl", "--user", "daemon-reload")
        shell.look("systemctl", "--user", "reset-failed", UNIT)  # nothing is left of it in lists

    def state(self, shell: Shell) -> State:
        names = "ActiveState,MainPID,ExecMainCode,ExecMainStatus"
        asked = shell.look("systemctl", "--user", "show", f"--property={names}", UNIT)
        lines = (line.partition("=") for line in asked.said.splitlines())
        return read_state({name: value for name, _, value in lines})


def read_state(said: Mapping[str, str]) -> State:
    """The properties of a unit as what they mean."""
    running, pid = said.get("ActiveState") == "active", said.get("MainPID", "0")
    ended = said.get("ExecMainCode", "0") == "1"  # CLD_EXITED of waitid(2); 0: it has not ended
    return State(
        running=running,
        pid=int(pid) if running and pid != "0" else None,
        ended_with=int(said["ExecMainStatus"]) if ended and not running else None,
    )


def quoted(*words: str) -> str:
    """Words as a unit file spells them: in quotation marks, and percent signs twice.

    Dollar signs stay: the colon in front of the command says that nothing stands for a variable.
    """
    return " ".join(f'"{_escaped(word)}"' for word in words)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
