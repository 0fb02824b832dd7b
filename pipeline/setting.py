"""A field that the operator sets: its name in the environment, and one sentence on what it does.

Each room keeps a frozen dataclass of such fields beside the code that uses them. Only ``run.py``
reads the environment; ``asr/settings.py`` turns it into these dataclasses.
"""

from dataclasses import field
from typing import Any

MEGABYTE = 1_000_000  # what is called MB in settings


def setting(env: str, default: Any, help: str) -> Any:
    """A dataclass field that ``env`` sets; ``help`` is shown in the README's table."""
    return field(default=default, metadata={"env": env, "help": help})
