"""The server as a service of the user's own: installed, looked at, and taken away again.

Nothing here is done as another user, and nothing but one file is written.
"""

import http.client
import json
import os
import re
import sys
import tempfile
import urllib.error
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from asr.settings import Settings, names
from asr.terminal.exits import DONE, FAILED, HUNG, INTERNAL, UNAVAILABLE, USAGE, complain
from asr.terminal.launchd import Launchd
from asr.terminal.program import Manager, Program, Refused, Run, Shell, State, run_command
from asr.terminal.reach import ask_health, own_address
from asr.terminal.systemd import Systemd

Action = Literal["install", "uninstall", "status"]

BESIDE = (Path(__file__).parents[1] / "run.py").resolve().with_name(".env")

# Folders of uv's cache that environments are made in.
UV_CACHE = r"(archive|builds|environments)-v\d+"

LEAVE_S = 5.0  # what the interpreter takes to end when the server has

WHY: Mapping[int, str] = MappingProxyType(
    {
        DONE: "it was told to end, or had nothing that starting it again would change",
        USAGE: "its settings cannot be used",
        UNAVAILABLE: "the model or the port cannot be had",
        INTERNAL: "an error of its own",
        HUNG: "a thread hung",
    }
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person asked for. ``env_file`` is None where that is the one beside run.py."""

    action: Action
    show: bool = False
    env_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Where:
    """The system and its user; ``python`` is what runs this, ``prefix`` where it is installed."""

    platform: str
    home: Path
    uid: int
    python: str
    prefix: Path
    environ: Mapping[str, str]

    @classmethod
    def here(cls, environ: Mapping[str, str]) -> "Where":
        """This process."""
        prefix = Path(sys.prefix)
        return cls(sys.platform, Path.home(), os.getuid(), sys.executable, prefix, environ)


def manage(
    wish: Wish,
    settings: Settings,
    where: Where,
    *,
    drain_s: float,
    run: Run = run_command,
    say: Callable[[str], None] | None = None,
) -> int:
    """Do what was asked for, and say so; the exit code.

    ``drain_s`` is the longest that a server takes from the signal to its end.
    """
    shell = Shell(run, say or _print)
    try:
        manager, program = _manager(where), _program(wish, settings, where, drain_s)
        if wish.show or wish.action == "install":
            _check(program, where)
        if wish.show:
            shell.say(manager.describe(program).decode().rstrip())
            return DONE
        if problem := manager.find_problem(shell):
            raise Refused(problem, UNAVAILABLE)
        if wish.action == "install":
            _install(manager, program, shell)
            _tell_of_settings(wish.env_file or BESIDE, where.environ, shell)
            return DONE
        if wish.action == "uninstall":
            return _uninstall(manager, program, shell)
        return _status(manager, shell, own_address(settings.http.host, settings.http.port))
    except Refused as refused:
        complain(refused.message)
        return refused.code


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _manager(where: Where) -> Manager:
    if where.platform == "darwin":
        return Launchd(where.home, where.uid)
    if where.platform == "linux":
        return Systemd(Path(where.environ.get("XDG_CONFIG_HOME") or where.home / ".config"))
    raise Refused("a service needs launchd or systemd, and neither is here", UNAVAILABLE)


def _program(wish: Wish, settings: Settings, where: Where, drain_s: float) -> Program:
    """What is to be run: this Python, whatever environment it belongs to, with these settings."""
    cache = settings.models.cache_dir
    # torch and the model hub keep what they fetch below the second of these.
    folders = (cache, where.home / ".cache", *filter(None, _chosen(settings)))
    named = ("--env-file", str(wish.env_file.resolve())) if wish.env_file else ()
    folders = tuple(dict.fromkeys(folders))
    return Program(where.python, (*named, "serve"), cache, folders, drain_s + LEAVE_S)


def _chosen(settings: Settings) -> tuple[Path | None, ...]:
    """The folders that are written to because a setting says so."""
    return settings.models.hf_home, settings.jobs.folder, settings.cluster.store_folder


def _check(program: Program, where: Where) -> None:
    """Raise Refused if a service could not be what was asked for."""
    for path in program.folders:
        if not path.is_absolute():
            raise Refused(
                f"{str(path)!r} in the settings is not an absolute path, and a service starts in a"
                " folder of its own",
                USAGE,
            )
    if any(not text.isprintable() for text in (*program.command, *map(str, program.folders))):
        raise Refused("a path with control characters cannot be told to a service manager", USAGE)
    if any(re.fullmatch(UV_CACHE, part) for part in where.prefix.parts):
        raise Refused(
            "this runs from uv's cache, which may be emptied: install it first, for instance with"
            " `uv tool install`",
            USAGE,
        )


def _install(manager: Manager, program: Program, shell: Shell) -> None:
    tried = shell.look(*program.command, "--version")
    if tried.code:
        reason = tried.said.rpartition("\n")[2]
        raise Refused(f"{program.python} cannot run the server by itself: {reason}")
    for folder in program.folders:
        _make(folder)
    _write(manager.file, manager.describe(program))
    shell.say(f"wrote    {manager.file}")
    manager.start(shell, program)
    shell.say(f"log      {manager.log}")
    if remark := manager.remark:
        shell.say(f"note     {remark}")


def _tell_of_settings(file: Path, environ: Mapping[str, str], shell: Shell) -> None:
    """Which settings the service has, and which of this shell it has not."""
    absent = "" if file.exists() else ", which is not there: every setting has its default"
    shell.say(f"settings {file}{absent}")
    for name in sorted(names() & environ.keys()):
        shell.say(f"note     {name} is set in this shell alone, and not for the service")
    shell.say("It starts now; the first time it may have to fetch a model. See: service status")


def _uninstall(manager: Manager, program: Program, shell: Shell) -> int:
    if not manager.file.exists():
        shell.say(f"There is no {manager.file}, so nothing to uninstall.")
        return DONE
    manager.stop(shell, program)
    manager.file.unlink()
    shell.say(f"removed  {manager.file}")
    manager.forget(shell)
    shell.say(f"Models and settings are still there; models are in {program.cache_dir}.")
    return DONE


def _status(manager: Manager, shell: Shell, address: str) -> int:
    """Tell how it is; FAILED where it does not run."""
    if not manager.file.exists():
        shell.say("It is not installed.")
        return FAILED
    shell.say(f"file     {manager.file}")
    state = manager.state(shell)
    shell.say(f"state    {in_words(state)}")
    if state.running:
        shell.say(f"answers  {health(address)}")
    shell.say(f"log      {manager.log}")
    return DONE if state.running else FAILED


def in_words(state: State) -> str:
    """How a service is, for a person."""
    if state.running:
        return "running" + (f", process {state.pid}" if state.pid else "")
    if state.ended_with is None:
        return "not running"
    why = WHY.get(state.ended_with, "see the log")
    return f"not running; it ended with {state.ended_with}: {why}"


def health(address: str) -> str:
    """What the server at this address says of itself, in words."""
    url = f"http://{address}"
    try:
        with ask_health(address) as answer:
            return f"{url}, {json.load(answer)['status']}"
    except urllib.error.HTTPError as error:
        error.close()
        return f"{url}, unhealthy"
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        return f"not yet at {url}: it loads its model first (or is it set to another address?)"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Refused(f"the folder {folder} cannot be made: {error.strerror}") from None


def _write(file: Path, content: bytes) -> None:
    """Write it whole or not at all."""
    _make(file.parent)
    try:
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as part:
            part.write(content)
        Path(part.name).replace(file)
        file.chmod(0o644)
    except OSError as error:
        raise Refused(f"{file} cannot be written: {error.strerror}") from None
