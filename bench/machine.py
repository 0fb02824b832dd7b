"""The machine that a figure belongs to, in words, and how busy its NVIDIA GPU is."""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

SAMPLE_EVERY_MS = 200


def describe(*packages: str) -> str:
    """Processor, GPU, system and versions, in one line; of ``packages`` those that are there."""
    return ", ".join(
        [
            f"{os.cpu_count()} cores of {_processor()}",
            *filter(None, [_gpu()]),
            f"{platform.system()} {platform.machine()}",
            f"Python {platform.python_version()}",
            *_versions("mlx", *packages),
        ]
    )


@contextmanager
def gpu_watched() -> Iterator[list[int]]:
    """What share of the time the GPU computes, in percent: samples, there when the context ends.

    Stays empty where there is no NVIDIA GPU.
    """
    samples: list[int] = []
    if shutil.which("nvidia-smi") is None:
        yield samples
        return
    query = ["--id=0", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
    with tempfile.TemporaryFile("w+") as log:
        command = ["nvidia-smi", *query, "-lms", str(SAMPLE_EVERY_MS)]
        with subprocess.Popen(command, stdout=log) as process:
            try:
                yield samples
            finally:
                process.terminate()
        log.seek(0)
        samples += [int(line) for line in log if line.strip().isdecimal()]


def _processor() -> str:
    listed = Path("/proc/cpuinfo")
    if not listed.exists():
        return platform.processor()
    lines = listed.read_text().splitlines()
    return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))


def _gpu() -> str | None:
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--id=0", "--query-gpu=name", "--format=csv,noheader"]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stdout.strip() or None


def _versions(*packages: str) -> Iterator[str]:
    for package in packages:
        try:
            yield f"{'MLX' if package == 'mlx' else package} {version(package)}"
        except PackageNotFoundError:
            continue
