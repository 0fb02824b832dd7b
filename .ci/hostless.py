"""Take the registry's host names out of a uv.lock; plain ``uv sync`` puts them back.

Versions, file names and hashes stay. The project's own metadata goes too: without it uv resolves
again, with the locked versions as its preferences, instead of trusting links that are no longer
there. Usage: ``hostless.py [FILE]``.
"""

import re
import sys
from pathlib import Path


def hostless(lock: str) -> str:
    """The same lock without addresses; stripping twice changes nothing."""
    lock = re.sub(r'registry = "https?://[^"]*"', 'registry = "wheels"', lock)
    lock = re.sub(r'url = "https?://[^"]*/([^"/]+)"', r'path = "\1"', lock)
    own = re.compile(
        r"^\[package\.metadata\]\n.*?(?=^\[\[package\]\]|\Z)", re.MULTILINE | re.DOTALL
    )
    return own.sub("", lock)


if __name__ == "__main__":
    file = Path(sys.argv[1] if len(sys.argv) > 1 else "uv.lock")
    file.write_text(hostless(file.read_text()))
