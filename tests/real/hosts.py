"""Two machines and the switch between them, as namespaces of the network: its link can be cut.

A cut link closes nothing. Both ends go on sending, and hear no more.
"""

from __future__ import annotations

import subprocess
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NEAR: Final = "10.77.0.1"
FAR: Final = "10.77.0.2"

IN = ("nsenter", "--preserve-credentials", "--user", "--net")


@dataclass(frozen=True)
class Machine:
    """A network of its own, which lives as long as the process that holds it."""

    holder: int

    def start(self, *command: str) -> tuple[str, ...]:
        """The command that runs a command on this machine."""
        return (*IN, f"--target={self.holder}", *command)

    def ip(self, *words: str) -> None:
        """Configure its network."""
        run(self.start("ip", *words))


@dataclass(frozen=True)
class Hosts:
    """The machine ``near`` and the machine ``far``, and what is between them."""

    near: Machine
    far: Machine
    switch: Machine

    def cut(self) -> None:
        """Nothing comes through any more, and nobody is told."""
        self.switch.ip("link", "set", "far", "nomaster")

    def heal(self) -> None:
        """All that is sent from now on comes through."""
        self.switch.ip("link", "set", "far", "master", "bridge")


@contextmanager
def two_hosts() -> Iterator[Hosts]:
    """Two machines with a link, as long as the context lasts. Their disk is the same.

    Raises OSError or CalledProcessError where this machine does not let us have them.
    """
    with ExitStack() as held:
        switch = held.enter_context(machine(("unshare", "--user", "--map-root-user", "--net")))
        switch.ip("link", "add", "bridge", "type", "bridge")
        switch.ip("link", "set", "bridge", "up")
        machines: list[Machine] = []
        for name, address in (("near", NEAR), ("far", FAR)):
            inner = (*IN[:-1], f"--target={switch.holder}", "unshare", "--net")
            machines.append(one := held.enter_context(machine(inner)))
            there = ("type", "veth", "peer", "name", "eth0", "netns", str(one.holder))
            switch.ip("link", "add", name, *there)
            switch.ip("link", "set", name, "master", "bridge", "up")
            one.ip("address", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                one.ip("link", "set", device, "up")
        yield Hosts(machines[0], machines[1], switch)


@contextmanager
def machine(command: Sequence[str]) -> Iterator[Machine]:
    """A machine that ``command`` makes for whatever it starts."""
    argv = (*command, "sh", "-c", "echo $$; exec cat")
    pipe = subprocess.PIPE
    with subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as holder:
        assert holder.stdout
        line = holder.stdout.readline()
        if not line:
            raise OSError(holder.stderr.read() if holder.stderr else "")
        yield Machine(int(line))  # which ends when its input does


def run(argv: Sequence[str]) -> None:
    subprocess.run(argv, check=True, capture_output=True, text=True)
