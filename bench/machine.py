"""The machine that a figure belongs to, in words."""

import os
import platform
from importlib.metadata import version
from pathlib import Path


def describe() -> str:
    """Processor, system and versions, in one line."""
    return (
        f"{os.cpu_count()} cores of {_processor()}, {platform.system()} {platform.machine()},"
        f" Python {platform.python_version()}, MLX {version('mlx')}"
    )


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if not listed.exists():
        return platform.processor()
    lines = listed.read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
