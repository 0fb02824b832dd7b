"""``asr-service jobs`` in this process."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from asr.settings import Settings
from asr.terminal.arguments import parse
from asr.terminal.exits import exit_code
from asr.terminal.jobs import jobs

if TYPE_CHECKING:
    from tests.terminal.fake_jobs import FakeJobs


def run(*words: str, **environ: str) -> int:
    """The command in this process; its exit code."""
    settings = Settings.from_environ(environ)
    try:
        return jobs(parse(["jobs", *words]), settings)
    except Exception as error:
        return exit_code(error)


def at(there: FakeJobs, *words: str) -> int:
    return run(*words, "--url", there.url)


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]
