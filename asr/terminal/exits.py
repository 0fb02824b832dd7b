"""How the process ends: the exit codes, and which of them an error deserves."""

import errno
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator

from asr.actors.jobs.queue import QueueUnavailable
from asr.actors.jobs.redis.client import NoClient, QueueRefused
from asr.actors.thread import Hung
from asr.pipeline.errors import InvalidRequest, ModelUnavailable
from asr.settings import SettingsError

log = logging.getLogger(__name__)

DONE = 0
FAILED = 1  # a file could not be transcribed; the others were
USAGE = 2  # arguments or settings that cannot be used, as argparse has it
UNAVAILABLE = 69  # sysexits.h EX_UNAVAILABLE: the model or the port cannot be had
INTERNAL = 70  # sysexits.h EX_SOFTWARE: a bug of ours, or a shutdown that hung
HUNG = 71  # sysexits.h EX_OSERR, the nearest: a thread hangs that the house cannot be without

AWAY = 75  # sysexits.h EX_TEMPFAIL: the queue's server does not answer; once it does, all is well

LEAVE_S = 2.0  # what a thread may still need when everything is closed and only the exit is left

CANNOT_LISTEN = frozenset({errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES})


def complain(*lines: str) -> None:
    """Lines for a person, on stderr."""
    sys.stderr.write("".join(f"asr-service: {line}\n" for line in lines))


def end_by_signal(number: int) -> int:
    """The code of a process that a signal ended, as shells count it."""
    return 128 + number


def exit_code(error: BaseException) -> int:
    """Say on stderr why the process ends; the code that tells programs the same."""
    for cause in _leaves(error):
        match cause:
            case KeyboardInterrupt():
                return end_by_signal(signal.SIGINT)
            case BrokenPipeError():
                return _reader_gone()
            case SettingsError(problems=problems):
                complain(*problems)
                return USAGE
            case InvalidRequest() | NoClient() | QueueRefused():
                complain(cause.message)
                return USAGE
            case ModelUnavailable(message=message):
                complain(message)
                return UNAVAILABLE
            case QueueUnavailable(message=message):
                complain(message)
                return AWAY
            case Hung():
                complain(str(cause))
                return HUNG
            case OSError(strerror=reason) if _is_about_the_port(cause):
                complain(f"cannot listen on the address in HOST and PORT: {reason}")
                return UNAVAILABLE
    log.critical("the process ends because of an error of its own", exc_info=error)
    return INTERNAL


def leave(code: int) -> int:
    """The code to exit with; if a thread hangs, the process ends here and now.

    Python waits at its exit for every thread that is not a daemon, and so for ever for that one.
    Call this when everything is closed: nothing more is cleaned up.
    """
    until_s = time.monotonic() + LEAVE_S
    for thread in threading.enumerate():
        if thread is threading.current_thread() or thread.daemon:
            continue
        thread.join(max(0.0, until_s - time.monotonic()))
        if thread.is_alive():
            log.warning("the thread %s is left behind", thread.name)
            logging.shutdown()
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return code


def _is_about_the_port(error: OSError) -> bool:
    """Failures of files carry a file name, failures of sockets do not."""
    refused = error.errno in CANNOT_LISTEN and error.filename is None
    return refused or isinstance(error, socket.gaierror)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in error.exceptions:
            yield from _leaves(part)
    else:
        yield error


def _reader_gone() -> int:
    """Whoever read our output has left; point it elsewhere, or Python complains at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return end_by_signal(signal.SIGPIPE)
