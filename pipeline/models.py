"""Where models come from: a local folder, the cache, an embedded package, or the hub.

Interface only for now.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

Origin = Literal["folder", "cache", "embedded", "hub"]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    name: str
    origin: Origin
    location: str
    bytes: int | None
