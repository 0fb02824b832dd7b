"""What a process holds: memory in MB, without that of its children such as ffmpeg, and the rest."""

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

MEGABYTE = 1_000_000


class Counts(NamedTuple):
    """How many of each a process has."""

    descriptors: int
    threads: int
    children: int


def counts(pid: int) -> Counts:
    """Those of a process. Only Linux can."""
    process = Path("/proc", str(pid))
    threads = list((process / "task").iterdir())
    children = sum(len((thread / "children").read_text().split()) for thread in threads)
    return Counts(len(os.listdir(process / "fd")), len(threads), children)


def resident_mb(pid: int | None = None) -> float:
    """What is resident now, of another process or of this one."""
    command = ["ps", "-o", "rss=", "-p", str(pid or os.getpid())]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return int(done.stdout) * 1024 / MEGABYTE


def peak_mb() -> float:
    """The most that was resident of this process since its start, or since ``reset_peak``."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MEGABYTE  # macOS counts bytes
    lines = Path("/proc/self/status").read_text().splitlines()
    kib = next(line.split()[1] for line in lines if line.startswith("VmHWM:"))
    return int(kib) * 1024 / MEGABYTE


def reset_peak() -> None:
    """Forget the peak so far, such as that of loading a model. Only Linux can."""
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")
