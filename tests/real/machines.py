"""Machines that share the work: a real Redis, and processes of ours around it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tests import redis_server
from tests.real.process import READY, RUN
from tests.real.rig import Rig, rigged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Engine = Literal["real", "fake"]

LASTING = ("--appendonly", "yes", "--appendfsync", "always")  # nothing is lost with the server


@dataclass
class Machine:
    """A process of ours; ``url`` is empty if it only works."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    rig: Rig
    url: str = ""

    def ready(self) -> None:
        """Return when it has said that it is ready."""
        assert self.process.stdout
        line = self.process.stdout.readline().decode()
        if found := READY.fullmatch(line):
            self.url = found["url"]
        else:
            assert line.startswith("Ready to work, on cpu"), (line, self.log.read_text()[-2000:])

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def told(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line[:1] == "{"]


@dataclass
class Machines:
    """What is in one folder; all of it is gone with the context that it was made by."""

    folder: Path
    environment: Mapping[str, str]
    stack: ExitStack
    at: dict[str, Machine] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the queue's server is."""
        return redis_server.address(self.folder / "redis")

    @contextmanager
    def redis(self, *more: str) -> Iterator[subprocess.Popen[bytes]]:
        """The queue's server; a later one goes on with what the last one has on its disk."""
        (self.folder / "redis").mkdir(exist_ok=True)
        with redis_server.running(self.folder / "redis", *more) as server:
            yield server

    def start(
        self,
        name: str,
        *command: str,
        engine: Engine | None = "fake",
        core: int | None = None,
        **settings: str,
    ) -> Machine:
        """A process that is not ready yet; without an engine it is the program as people run it.

        It may have one ``core`` of the machine to itself (Linux).
        """
        pinned = () if core is None else ("taskset", "-c", str(core))
        folder = self.folder / name
        (folder / "rig").mkdir(parents=True)
        (folder / "models").symlink_to(Path(self.environment["CACHE_DIR"], "models"))
        rig = Rig(folder / "rig")
        program = rigged(rig, *command, engine=engine) if engine else (str(RUN), *command)
        said = {"QUEUE_URL": self.url, "CACHE_DIR": str(folder), **settings}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*pinned, sys.executable, *program],
                cwd=RUN.parent,
                env={**self.environment, **said},
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self.stack.callback(end, process)
        machine = Machine(name, process, folder / "log", rig)
        self.at[name] = machine
        return machine


@contextmanager
def machines(folder: Path, environment: Mapping[str, str]) -> Iterator[Machines]:
    """No machine yet, and none any more in the end."""
    with ExitStack() as stack:
        yield Machines(folder, environment, stack)


def end(process: subprocess.Popen[bytes]) -> None:
    """Whatever it is at, it is gone."""
    process.send_signal(signal.SIGCONT)
    process.kill()
    process.wait()
    assert process.stdout
    process.stdout.close()
