"""What the machine has: ffmpeg, linear algebra, a device, room on the disk, descriptors."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.filesize import decimal

from asr.pipeline.setting import MEGABYTE
from asr.terminal.findings import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asr.actors.settings import HouseSettings
    from asr.pipeline.device import Device
    from asr.pipeline.engine import EngineSettings
    from asr.terminal.descriptors import Need

FFMPEG_S = 10.0  # it says what it can in a tenth of a second

# What people have, and which of ffmpeg's decoders read it: any of them will do.
DECODERS: Mapping[str, tuple[str, ...]] = {
    "MP3": ("mp3float", "mp3"),
    "AAC": ("aac", "aac_at", "libfdk_aac"),
    "Opus": ("opus", "libopus"),
    "Vorbis": ("vorbis", "libvorbis"),
    "FLAC": ("flac",),
    "WAV": ("pcm_s16le",),
    "ALAC": ("alac", "alac_at"),
    "AC-3": ("ac3", "ac3_fixed", "ac3_at"),
    "E-AC-3": ("eac3", "eac3_at"),
    "DTS": ("dca",),
    "WMA": ("wmav2",),
    "AMR": ("amrnb", "libopencore_amrnb", "amr_nb_at"),
}

SIDE = 768  # of the matrices that are multiplied: 0.6 s with the slowest library, for each time
TIMES = 3

NVIDIA = Path("/dev/nvidiactl")  # where its driver is


def check_ffmpeg() -> Iterator[Finding]:
    """The ffmpeg that will be used, and what it reads."""
    from asr.actors.ffmpeg import NoFfmpeg, find_ffmpeg

    try:
        ffmpeg = find_ffmpeg()
        version = _said(ffmpeg, "-version").partition("version ")[2].partition(" ")[0]
        decoders = set(re.findall(r"^ A\S{5} (\S+)", _said(ffmpeg, "-decoders"), re.MULTILINE))
    except NoFfmpeg as error:
        yield Finding("ffmpeg", "wrong", str(error), "apt install ffmpeg, or brew install ffmpeg")
        return
    except (OSError, subprocess.SubprocessError) as error:
        yield Finding("ffmpeg", "wrong", f"it does not run: {error}", "install it anew")
        return
    missing = [kind for kind, names in DECODERS.items() if decoders.isdisjoint(names)]
    if missing:
        what = f"{version} at {ffmpeg} cannot read {', '.join(missing)}"
        yield Finding("ffmpeg", "note", what, "another build of it can: such as the system's")
    else:
        yield Finding("ffmpeg", "right", f"{version} at {ffmpeg}, reads all that is common")


def _said(ffmpeg: str, about: str) -> str:
    done = subprocess.run(
        [ffmpeg, "-hide_banner", about],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=FFMPEG_S,
        check=True,
    )
    return done.stdout.decode(errors="replace")


def check_device(settings: EngineSettings) -> Iterator[Finding]:
    """What the arrays run on, and how fast a CPU multiplies. To be called before MLX is imported.

    Which library does that is told as it was loaded; that MLX found it, too, shows in the speed.
    """
    from asr.blas import REFERENCE, preload_blas
    from asr.pipeline.device import pick_compute_type, pick_device, usable_memory
    from asr.pipeline.errors import InvalidRequest

    library = preload_blas()
    try:
        device = pick_device(settings.device)
    except InvalidRequest as error:
        yield Finding("device", "wrong", error.message, "DEVICE=auto takes what there is")
        return
    except (ImportError, OSError) as error:
        todo = "uv sync; with a GPU of NVIDIA's, uv sync --no-group cpu --extra cuda"
        yield Finding("device", "wrong", f"MLX does not load: {error}", todo)
        return
    given = settings.memory_max_mb
    memory = decimal(given * MEGABYTE if given else usable_memory(device))
    compute_type = pick_compute_type(settings.compute_type, device)
    yield _device(device, f"{device} in {compute_type}, with {memory} for arrays")
    if device == "cpu":
        slow = library.startswith(REFERENCE)
        what = f"{library}, {_gflops():.0f} GFLOP/s"
        todo = "pip install ngsolve-openblas: everything is some 40 times as fast" if slow else ""
        yield Finding("BLAS", "wrong" if slow else "right", what, todo)


def _device(device: Device, what: str) -> Finding:
    if device == "cpu" and sys.platform == "darwin":
        return Finding("device", "note", what, "Metal is not there: is this Python for arm64?")
    if device == "cpu" and NVIDIA.exists():
        todo = "there is an NVIDIA GPU: uv sync --no-group cpu --extra cuda would use it"
        return Finding("device", "note", what, todo)
    return Finding("device", "right", what)


def _gflops() -> float:
    """How fast MLX multiplies matrices on the CPU, in 10^9 operations a second: at its best."""
    import mlx.core as mx

    with mx.stream(mx.cpu):
        one = mx.random.normal((SIDE, SIDE))
        mx.eval(one)
        best_s = float("inf")
        for _ in range(TIMES):
            began_s = time.perf_counter()
            mx.eval(one @ one)
            best_s = min(best_s, time.perf_counter() - began_s)
    return 2 * SIDE**3 / best_s / 1e9


def check_disk(cache: Path, house: HouseSettings) -> Iterator[Finding]:
    """Whether something can be kept, and uploads be taken in."""
    from asr.terminal.cache import find_problem

    if problem := find_problem(cache):
        yield Finding("disk", "wrong", problem, "name a folder that can be written in CACHE_DIR")
        return
    spool = cache / "spool"
    free = shutil.disk_usage(spool if spool.exists() else cache).free
    floor = house.disk_free_min_mb * MEGABYTE
    what = f"{decimal(free)} free for {cache}; uploads leave {decimal(floor)} of it"
    if free < floor:
        todo = "make room, or lower ASR_DISK_FREE_MIN_MB: no upload is taken in"
        yield Finding("disk", "wrong", what, todo)
    elif free < floor + house.max_file_size_mb * MEGABYTE:
        yield Finding("disk", "note", what, "make room: the largest uploads will be refused")
    else:
        yield Finding("disk", "right", what)


def check_descriptors(need: Need) -> Iterator[Finding]:
    """Whether all connections that there may be find enough of them."""
    from asr.terminal.descriptors import fitting

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = need.descriptors(need.connections)
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        what = f"enough for {need.connections} connections: {wanted} of them"
        yield Finding("descriptors", "right", what)
    else:
        what = f"{hard} at most, so {fitting(need, hard)} connections instead of {need.connections}"
        yield Finding("descriptors", "note", what, f"allow the server {wanted}: see ulimit -n")
