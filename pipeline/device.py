"""What the arrays run on, in what precision, and in how much memory.

MLX is imported when asked, not before.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr.pipeline.errors import InvalidRequest, NotEnoughMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

Device = Literal["cpu", "metal", "cuda"]
ComputeType = Literal["auto", "float16", "bfloat16", "float32", "int8"]


def best_device() -> Device:
    """The fastest device that this build of MLX can use."""
    import mlx.core as mx

    if mx.metal.is_available():
        return "metal"
    return "cuda" if mx.cuda.is_available() else "cpu"


def pick_device(wanted: str, *, setting: str = "DEVICE") -> Device:
    """The device that the operator named; ``auto`` is the best one, ``gpu`` any but the CPU.

    Raises InvalidRequest when it is not there: a server that silently ran a hundred times slower
    than its owner asked for would be worse than one that does not start.
    """
    best = best_device()
    if wanted == "cpu":
        return "cpu"
    if wanted in ("auto", best) or (wanted == "gpu" and best != "cpu"):
        return best
    if wanted == "mps" and best == "metal":
        return best
    raise InvalidRequest(f"{setting}={wanted} is not available here; this machine has: {best}")


def pick_compute_type(wanted: ComputeType, device: Device) -> ComputeType:
    """``auto`` resolved: half precision on a GPU; on a CPU, where it is emulated, float32."""
    if wanted != "auto":
        return wanted
    return "float32" if device == "cpu" else "float16"


# Of a device's memory. The rest is the system's, and that of what MLX needs beside its arrays; a
# CPU shares with everybody else, and MLX ends the process there when an allocation fails.
SHARES: dict[Device, float] = {"metal": 0.9, "cuda": 0.9, "cpu": 0.5}

# Where MLX tells a device's memory: Metal's name, and CUDA's.
DEVICE_BYTES = ("max_recommended_working_set_size", "total_memory")
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")

# What is said when memory runs out: of MLX's allocators, of Metal's command buffers, and of torch's
# allocators ("CUDA out of memory", "MPS backend out of memory").
OUT_OF_MEMORY = (
    "Unable to allocate",
    "Attempting to allocate",
    "Insufficient Memory",
    "out of memory",
)


def leave_thread() -> None:
    """End what MLX has running for the calling thread, which does not use MLX again.

    A stream of CUDA's has a thread of its own, and C++ aborts a process that ends beside one.
    """
    import mlx.core as mx

    mx.clear_streams()


def usable_memory(device: Device) -> int:
    """The bytes of arrays that this process may have on a device, all in all."""
    import mlx.core as mx

    told = {} if device == "cpu" else mx.device_info()
    sizes = [int(told[name]) for name in DEVICE_BYTES if name in told]
    return int(SHARES[device] * (sizes[0] if sizes else host_memory()))


def host_memory(limit: Path = CONTAINER_LIMIT) -> int:
    """The bytes that the machine has, or the container that this runs in: its ``limit``."""
    pages: int = os.sysconf("SC_PHYS_PAGES")
    sizes = [pages * os.sysconf("SC_PAGE_SIZE")]
    with suppress(OSError, ValueError):  # no container, or one without a limit: "max"
        sizes.append(int(limit.read_text()))
    return min(sizes)


@contextmanager
def memory_errors() -> Iterator[None]:
    """Tell that memory ran out from all other errors of MLX's and torch's: NotEnoughMemory."""
    try:
        yield
    except MemoryError as error:
        raise NotEnoughMemory from error
    except RuntimeError as error:
        if any(sign in str(error) for sign in OUT_OF_MEMORY):
            raise NotEnoughMemory from error
        raise
