"""Measurements in a process of their own: nothing loaded or left over by another counts."""

import json
import subprocess
import sys
from typing import Any

from bench.speech import ROOT


def measure_apart(module: str, *arguments: str) -> dict[str, Any]:
    """What ``python -m module arguments`` prints last, which is JSON; exits if it fails."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr[-4000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result
