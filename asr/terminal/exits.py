"""How the process ends: the exit codes, and which of them an error deserves."""

import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterator

from asr.pipeline.errors import InvalidRequest, ModelUnavailable

log = logging.getLogger(__name__)

DONE = 0
FAILED = 1  # a file could not be transcribed; the others were
USAGE = 2  # arguments or settings that cannot be used, as argparse has it
UNAVAILABLE = 69  # sysexits.h EX_UNAVAILABLE: the model or the port cannot be had
INTERNAL = 70  # sysexits.h EX_SOFTWARE: a bug of ours, or a shutdown that hung

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
            case InvalidRequest(message=message):
                complain(message)
                return USAGE
            case ModelUnavailable(message=message):
                complain(message)
                return UNAVAILABLE
            case OSError(strerror=reason) if _is_about_the_port(cause):
                complain(f"cannot listen on the address in HOST and PORT: {reason}")
                return UNAVAILABLE
    log.critical("the process ends because of an error of its own", exc_info=error)
    return INTERNAL


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
