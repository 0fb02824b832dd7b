"""The log: one line an event, on stderr, set up once."""

import logging
import sys
from dataclasses import dataclass
from typing import Literal

from asr.pipeline.setting import setting


@dataclass(frozen=True, slots=True)
class LogSettings:
    """How much is written to the log."""

    level: Literal["debug", "info", "warning", "error"] = setting(
        "ASR_LOG_LEVEL", "info", "debug, info, warning or error"
    )


def log_to_stderr(level: str) -> None:
    """Send everything of ``level`` and above to stderr, Python's own warnings included."""
    logging.basicConfig(
        stream=sys.stderr,
        level=level.upper(),
        format="%(asctime)s %(levelname)-7s %(name)s: %(message)s",
        force=True,
    )
    logging.captureWarnings(True)
