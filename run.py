"""The composition root: reads the environment once, builds what was asked for, and runs it.

``python run.py`` and the console script ``asr-service`` are both this file.
"""

import logging
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

# Imports inside functions: --help and --version answer before anything heavy is loaded, and each
# command loads only its own rooms.
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractAsyncContextManager

    from asr.actors.house import House, Machine
    from asr.actors.tools import Tools
    from asr.actors.trail import Trail
    from asr.pipeline.engine import Engine, EngineSettings
    from asr.pipeline.models import ModelStore
    from asr.settings import Settings
    from asr.terminal.descriptors import Need

log = logging.getLogger("asr.run")  # whatever it is started as

DOTENV = Path(__file__).resolve().with_name(".env")

# How soon the event loop gets the interpreter back from a thread that computes in Python. With the
# default of 5 ms, a few such turns in a row already show in the latency of /health.
SWITCH_INTERVAL_S = 0.001

# What a drain may take past its own time before the process is ended from outside: cutting off
# what still runs, and the actors' way out.
SHUTDOWN_SLACK_S = 15.0


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; its exit code."""
    from asr.terminal.arguments import parse

    arguments = parse(argv)

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
        "transcribe": transcribe,
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
    serving = arguments.command == "serve"
    log_to_stderr(settings.log if serving else settings.log.of_a_command())
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return settings


def serve(_arguments: Namespace, settings: "Settings") -> int:
    """The server, until a signal ends it."""
    import trio

    from asr.http.server import serve as front
    from asr.terminal.descriptors import connections_allowed
    from asr.terminal.serve import serve_house

    house = open_the_house(settings)
    desk = replace(settings.http, connections_max=connections_allowed(need(settings)))
    drain_s = settings.house.drain_s
    with traces(settings) as told:
        work = partial(
            serve_house,
            house,
            partial(front, settings=desk, drain_s=drain_s, told=told),
            patience_s=drain_s + SHUTDOWN_SLACK_S,
        )
        return trio.run(work)


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


def need(settings: "Settings") -> "Need":
    """What the server may do at once."""
    from asr.actors.receiver import UPLOADS_MAX
    from asr.pipeline.device import pick_device
    from asr.terminal.descriptors import Need

    running_max = settings.house.running_max(pick_device(settings.engine.device))
    return Need(settings.http.connections_max, UPLOADS_MAX, running_max)


def transcribe(arguments: Namespace, settings: "Settings") -> int:
    """The same house without a front desk."""
    import trio

    from asr.pipeline.device import pick_device
    from asr.terminal.exits import DONE
    from asr.terminal.job import job
    from asr.terminal.signals import interruptible
    from asr.terminal.transcribe import announce, transcribe_files

    asked = job(arguments)
    announce(asked)
    if not asked.sources:
        return DONE
    house = open_the_house(settings)
    at_once = settings.house.running_max(pick_device(settings.engine.device))
    work = partial(transcribe_files, house, asked, at_once=at_once)
    return trio.run(partial(interruptible, work))


def bench(arguments: Namespace, settings: "Settings") -> int:
    """The same house again, with a place for every window at once."""
    import trio

    from asr.terminal.bench import AT_ONCE_MAX, ask, bench
    from asr.terminal.signals import interruptible

    asked, house = ask(arguments), replace(settings.house, gpu_concurrency=AT_ONCE_MAX)
    work = partial(bench, open_the_house(replace(settings, house=house)), asked)
    return trio.run(partial(interruptible, work))


def models(_arguments: Namespace, settings: "Settings") -> int:
    """The table of models."""
    from asr.terminal.models import show_models

    return show_models(model_store(settings), host=settings.http.host, port=settings.http.port)


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
    store, wants = partial(model_store, settings), partial(need, settings)
    return tell(examine(settings, problems, store=store, need=wants))


def model_store(settings: "Settings") -> "ModelStore":
    """Where models come from; the default one depends on what will run it."""
    from asr.pipeline.device import pick_device
    from asr.pipeline.models import ModelStore
    from asr.settings import SettingsError

    accelerated = pick_device(settings.engine.device) != "cpu"
    try:
        return ModelStore(settings.models, accelerated=accelerated)
    except ValueError as error:
        raise SettingsError((str(error),)) from None


def load_engine(settings: "EngineSettings") -> "Engine":
    """The engine, made in the thread that will use it: its imports take seconds."""
    from asr.pipeline.whisper import WhisperEngine

    return WhisperEngine(settings)


def open_the_house(settings: "Settings") -> "AbstractAsyncContextManager[House]":
    """All actors, ready to be opened. To be called before anything looks at MLX's devices."""
    import trio

    from asr.actors.fetcher import Fetcher
    from asr.actors.house import open_house
    from asr.actors.metrics import Metrics
    from asr.blas import preload_blas
    from asr.pipeline.device import leave_thread
    from asr.pipeline.heap import return_freed
    from asr.settings import SettingsError
    from asr.terminal.cache import find_problem

    if problem := find_problem(settings.models.cache_dir):
        raise SettingsError((problem,))
    chosen = preload_blas()
    runs_on = machine(settings.engine)
    tell_of_blas(chosen, runs_on)
    return open_house(
        settings.house,
        engine=partial(load_engine, settings.engine),
        tools=tools(settings, runs_on.device),
        speakers=settings.speakers,
        models=model_store(settings),
        metrics=Metrics(),
        machine=runs_on,
        spool=settings.models.cache_dir / "spool",
        fetcher=Fetcher(settings.urls),
        leave_thread=leave_thread,
        return_freed=partial(trio.to_thread.run_sync, return_freed),
    )


def tell_of_blas(chosen: str, runs_on: "Machine") -> None:
    """Which linear algebra there is, loudly if all has to be computed with a slow one."""
    from asr.blas import REFERENCE

    slow = chosen.startswith(REFERENCE) and runs_on.device == "cpu"
    log.log(logging.WARNING if slow else logging.INFO, "linear algebra on the CPU: %s", chosen)


def tools(settings: "Settings", device: str) -> "Tools":
    """The networks beside Whisper's, as far as they are wanted, and there are any."""
    from asr.actors.tools import Tools
    from asr.pipeline.align.aligner import WordAligner
    from asr.pipeline.align.sources import Sparing, fetch
    from asr.pipeline.device import pick_device
    from asr.pipeline.diarize.diarizer import SpeakerDiarizer
    from asr.pipeline.diarize.sources import find_source
    from asr.pipeline.vad import SpeechFinder

    models, speakers = settings.models, settings.speakers
    source = find_source(models)
    log.info("speakers are told apart by %s", source.name if source else "nothing: not installed")
    wanted = speakers.align_device
    align_on = pick_device(device if wanted in ("auto", "off") else wanted, setting="ALIGN_DEVICE")
    return Tools(
        finder=partial(SpeechFinder, device=device),
        diarizer=partial(SpeakerDiarizer, source, speakers, device=device) if source else None,
        aligner=partial(WordAligner, models, device=align_on) if wanted != "off" else None,
        fetch_letters=Sparing(partial(fetch, settings=models)),
    )


def machine(settings: "EngineSettings") -> "Machine":
    """What the arrays will run on."""
    from asr.actors.house import Machine
    from asr.pipeline.device import pick_compute_type, pick_device

    device = pick_device(settings.device)
    return Machine(device, pick_compute_type(settings.compute_type, device))


if __name__ == "__main__":
    sys.exit(main())
