"""The log: one line an event, on stderr, set up once.

Whoever has something to say says it to Python's own ``logging``, libraries as well; here it is
given its shape. In a terminal that is for people, elsewhere it is an object of JSON a line.
"""

import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, Self

import structlog
from structlog.typing import EventDict, Processor

from asr.actors.trail import requests
from asr.pipeline.setting import setting

# What one value, one error with its way through the code, and a list of requests may take.
VALUE_CHARACTERS_MAX = 4_000
ERROR_CHARACTERS_MAX = 16_000
REQUESTS_MAX = 32

# Control characters of whatever was uploaded or asked for must not reach a terminal as they are.
HARMLESS: Mapping[int, str] = MappingProxyType(
    {code: f"\\x{code:02x}" for code in (*range(9), 11, 12, *range(14, 32), *range(127, 160))}
)
ONE_LINE: Mapping[int, str] = MappingProxyType({**HARMLESS, 10: "\\n", 13: "\\r"})


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How much is written to the log, and in which form."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "ASR_LOG_LEVEL", "info", "debug, info, warning or error"
    )
    format: Literal["auto", "console", "json"] = setting(
        "ASR_LOG_FORMAT", "auto", "console, json, or auto: console in a terminal, else json"
    )

    def of_a_command(self) -> Self:
        """For a person who waits for a command to end: only what goes wrong, and in words."""
        form: Literal["console", "json"] = "json" if self.format == "json" else "console"
        return replace(self, level="warning", format=form)


def log_to_stderr(settings: LogSettings) -> None:
    """Send everything of the level and above to stderr, Python's own warnings included.

    Of what libraries say, only warnings and worse; when debugging, what they find worth telling.
    """
    in_terminal = sys.stderr.isatty()
    as_json = settings.format == "json" or (settings.format == "auto" and not in_terminal)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(json_lines() if as_json else console(colors=in_terminal))
    theirs = {"debug": "INFO", "info": "WARNING"}.get(settings.level, settings.level.upper())
    handler.addFilter(partial(_matters, least=logging.getLevelNamesMapping()[theirs]))
    logging.basicConfig(level=theirs, handlers=[handler], force=True)
    logging.getLogger("asr").setLevel(settings.level.upper())
    logging.setLoggerClass(LibraryLogger)  # of those that are not imported yet: the talkative ones
    logging.captureWarnings(True)


def _matters(record: logging.LogRecord, *, least: int) -> bool:
    """Whether a line is ours, or matters enough: libraries choose their loggers' levels."""
    return record.name.partition(".")[0] == "asr" or record.levelno >= least


class LibraryLogger(logging.Logger):
    """Leaves it to us where its lines go, whatever a library's own set-up says."""

    def addHandler(self, hdlr: logging.Handler) -> None:
        """Take no handler that writes to a terminal."""
        if type(hdlr) is not logging.StreamHandler:
            super().addHandler(hdlr)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, True if name == "propagate" else value)


def json_lines() -> logging.Formatter:
    """An object a line; what an event knows besides its words has members of its own."""
    return _formatter(
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        structlog.processors.format_exc_info,  # without the values of variables
        bounded,
        structlog.processors.JSONRenderer(),  # in ASCII, of which only one sign ends a line
    )


def console(*, colors: bool) -> logging.Formatter:
    """A line for people, with what else is known behind it."""
    return _formatter(
        structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False),
        structlog.processors.format_exc_info,
        bounded,
        harmless,
        structlog.dev.ConsoleRenderer(
            colors=colors,
            sort_keys=False,
            pad_event_to=0,
            exception_formatter=structlog.dev.plain_traceback,
        ),
    )


def _formatter(*processors: Processor) -> logging.Formatter:
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=(
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.ExtraAdder(),
            with_requests,
        ),
        processors=(structlog.stdlib.ProcessorFormatter.remove_processors_meta, *processors),
    )


def with_requests(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Say for which requests the task or thread that speaks is at work."""
    ids = requests()
    if len(ids) == 1:
        event["request_id"] = ids[0]
    elif ids:
        event["request_ids"] = ids[:REQUESTS_MAX]
    return event


def bounded(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Cut what is too long: of an error the middle, its end says what it was."""
    for name, value in event.items():
        if isinstance(value, str):
            most = ERROR_CHARACTERS_MAX if name == "exception" else VALUE_CHARACTERS_MAX
            if len(value) > most:
                half = most // 2
                cut = f" ... ({len(value) - most} characters) ... "
                event[name] = value[:half] + cut + value[-half:]
    return event


def harmless(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Show control characters by their numbers; only errors take more than one line."""
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = value.translate(HARMLESS if name == "exception" else ONE_LINE)
    return event
