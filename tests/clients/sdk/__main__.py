"""What programs do with OpenAI's SDK. It runs on every major version, each in its own environment.

Usage: ``python -m tests.clients.sdk AT_ONCE URL KEY FILE CHECK...``. On stdout, as JSON: the
SDK's version, and for each check null or what went wrong.
"""

from __future__ import annotations

import json
import sys
import traceback
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import openai

from tests.clients.sdk.case import Case
from tests.clients.sdk.guarded import GUARDED, who_is_sent_away_comes_again
from tests.clients.sdk.open import OPEN

CHECKS = {check.__name__: check for check in (*OPEN, *GUARDED, who_is_sent_away_comes_again)}


def outcome(case: Case, name: str) -> str | None:
    try:
        CHECKS[name](case)
    except Exception:
        return f"openai {openai.__version__}\n{traceback.format_exc(limit=-3)}"
    return None


def main() -> None:
    at_once, url, key, file, *names = sys.argv[1:]
    with ThreadPoolExecutor(int(at_once)) as pool:
        outcomes = pool.map(partial(outcome, Case(url, key, Path(file))), names)
        json.dump((openai.__version__, dict(zip(names, outcomes, strict=True))), sys.stdout)


if __name__ == "__main__":
    main()
