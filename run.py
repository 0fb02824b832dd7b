"""The composition root: reads the environment once, builds what was asked for, and runs it.

``python run.py`` and the console script ``asr-service`` are both this file.
"""

import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr import building

# Imports inside functions: --help and --version answer before anything heavy is loaded, and each
# command loads only its own rooms.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from asr.actors.trail import Trail
    from asr.settings import Settings
    from asr.terminal.descriptors import Need
    from asr.terminal.serve import Premises

DOTENV = Path(__file__).resolve().with_name(".env")

# How soon the event loop gets the interpreter back from a thread that computes in Python. With the
# default of 5 ms, a few such turns in a row already show in the latency of /health.
SWITCH_INTERVAL_S = 0.001

SERVERS = frozenset({"serve", "front", "work"})  # commands that stay

# What a drain may take past its own time before the process is ended from outside: cutting off
# what still runs, and the actors' way out.
SHUTDOWN_SLACK_S = 15.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    from asr.terminal.arguments import parse

    try:
        arguments = parse(argv)
    except SystemExit as ended:  # a code like any, for who calls this
        return int(ended.code or 0)

    from asr.settings import SettingsError
    from asr.terminal.exits import USAGE, complain, exit_code, leave

    try:
        code = run(arguments)
    except SettingsError as error:
        complain(*error.problems)
        return USAGE
    except BaseException as error:
        code = exit_code(error)
    return leave(code)


def run(arguments: Namespace) -> int:
    """The command's exit code, or what went wrong as an exception."""
    unsettled = {"doctor": doctor, "completion": completion}
    if arguments.command in unsettled:
        return unsettled[arguments.command](arguments)
    commands = {
        "serve": serve,
        "front": front,
        "work": work,
        "transcribe": transcribe,
        "jobs": jobs,
        "models": models,
        "bench": bench,
        "service": service,
    }
    return commands[arguments.command](arguments, begin(arguments))


def begin(arguments: Namespace) -> "Settings":
    """What the operator set, with the log and the interpreter as it says."""
    from asr.settings import Settings
    from asr.terminal.logs import log_to_stderr

    settings = Settings.from_environ(os.environ, arguments.env_file or DOTENV)
    serving = arguments.command in SERVERS
    log_to_stderr(settings.log if serving else settings.log.of_a_command())
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return settings


def serve(_arguments: Namespace, settings: "Settings") -> int:
    """The server, until a signal ends it."""
    with traces(settings) as told:
        premises = building.open_premises(settings, told=told)
        return open_desk(settings, premises, building.need(settings), told)


def front(_arguments: Namespace, settings: "Settings") -> int:
    """A server whose work is done by others."""
    from asr import clustered

    with traces(settings) as told:
        return open_desk(settings, clustered.front(settings), clustered.need(settings), told)


def open_desk(
    settings: "Settings",
    premises: "AbstractAsyncContextManager[Premises]",
    need: "Need",
    told: "Callable[[Trail], None]",
) -> int:
    """Serve until a signal comes; the exit code."""
    import trio

    from asr.terminal.descriptors import connections_allowed
    from asr.terminal.serve import serve_premises

    drain_s = settings.house.drain_s
    desk = replace(settings.http, connections_max=connections_allowed(need))
    serving = partial(front_desk, settings=desk, drain_s=drain_s, told=told)
    patience_s = drain_s + SHUTDOWN_SLACK_S
    return trio.run(partial(serve_premises, premises, serving, patience_s=patience_s))


def work(arguments: Namespace, settings: "Settings") -> int:
    """A worker: does what fronts were asked for, until a signal ends it."""
    import trio

    from asr import clustered
    from asr.terminal.serve import serve_premises, stand_by

    with traces(settings) as told:
        house = building.house_of(settings)
        premises = clustered.worker(settings, house, slots=arguments.slots, told=told)
        working = partial(serve_premises, premises, stand_by, patience_s=SHUTDOWN_SLACK_S)
        return trio.run(working)


async def front_desk(premises: "Premises", **desk: Any) -> None:
    """The front desk of a house and its jobs."""
    from asr.http.server import serve

    await serve(premises.house, jobs=premises.jobs, **desk)


@contextmanager
def traces(settings: "Settings") -> "Iterator[Callable[[Trail], None]]":
    """Who is told of requests that are over."""
    from asr.settings import SettingsError
    from asr.terminal.traces import open_traces

    with ExitStack() as opened:
        try:
            told = opened.enter_context(open_traces(settings.traces))
        except ValueError as error:
            raise SettingsError((str(error),)) from None
        yield told


def transcribe(arguments: Namespace, settings: "Settings") -> int:
    """The same house without a front desk, and nobody who waits at the other end for so long."""
    import trio

    from asr.pipeline.device import pick_device
    from asr.terminal.delivery import check_folder
    from asr.terminal.descriptors import running_allowed
    from asr.terminal.exits import DONE
    from asr.terminal.job import job
    from asr.terminal.signals import interruptible
    from asr.terminal.transcribe import announce, transcribe_files

    asked = job(arguments)
    announce(asked)
    if not asked.sources:
        return DONE
    check_folder(asked.folder)
    patient = replace(settings, house=replace(settings.house, request_deadline_s=inf))
    house = building.open_the_house(patient)
    most = settings.house.running_max(pick_device(settings.engine.device))
    at_once = running_allowed(min(most, len(asked.sources)))
    work = partial(transcribe_files, house, asked, at_once=at_once)
    return trio.run(partial(interruptible, work))


def jobs(arguments: Namespace, settings: "Settings") -> int:
    """Work for a server that runs, here or elsewhere."""
    from asr.terminal.jobs import jobs

    return jobs(arguments, settings)


def bench(arguments: Namespace, settings: "Settings") -> int:
    """The same house again, with a place for every window at once."""
    import trio

    from asr.terminal.bench import AT_ONCE_MAX, ask, bench
    from asr.terminal.descriptors import running_allowed
    from asr.terminal.signals import interruptible

    asked, at_once = ask(arguments), running_allowed(AT_ONCE_MAX)
    roomy = replace(settings, house=replace(settings.house, gpu_concurrency=at_once))
    work = partial(bench, building.open_the_house(roomy), asked, at_once=at_once)
    return trio.run(partial(interruptible, work))


def models(_arguments: Namespace, settings: "Settings") -> int:
    """The table of models."""
    from asr.terminal.models import show_models

    return show_models(
        building.model_store(settings), host=settings.http.host, port=settings.http.port
    )


def service(arguments: Namespace, settings: "Settings") -> int:
    """The server as a service that the user's system keeps running."""
    from asr.terminal.install import Where, Wish, manage

    wish = Wish(arguments.action, show=arguments.print, env_file=arguments.env_file)
    drain_s = settings.house.drain_s + SHUTDOWN_SLACK_S
    return manage(wish, settings, Where.here(os.environ), drain_s=drain_s)


def completion(arguments: Namespace) -> int:
    """A script for a shell."""
    from asr.terminal.completion import show_script

    return show_script(arguments.shell)


def doctor(arguments: Namespace) -> int:
    """What is right on this machine, and what is wrong: settings that nobody understands, too."""
    from asr.settings import Settings
    from asr.terminal.doctor import examine
    from asr.terminal.findings import show, write
    from asr.terminal.logs import log_to_stderr

    settings, problems = Settings.understood(os.environ, arguments.env_file or DOTENV)
    log_to_stderr(settings.log.of_a_command())
    tell = write if arguments.json else show
    store, wants = partial(building.model_store, settings), partial(building.need, settings)
    return tell(examine(settings, problems, store=store, need=wants))


if __name__ == "__main__":
    sys.exit(main())
