"""What the arrays run on, and in what precision. MLX is imported when asked, not before."""

from __future__ import annotations

from typing import Literal

from asr.pipeline.errors import InvalidRequest

Device = Literal["cpu", "metal", "cuda"]
ComputeType = Literal["auto", "float16", "bfloat16", "float32", "int8"]


def best_device() -> Device:
    """The fastest device that this build of MLX can use."""
    import mlx.core as mx

    if mx.metal.is_available():
        return "metal"
    return "cuda" if mx.cuda.is_available() else "cpu"


def pick_device(wanted: str) -> Device:
    """The device that the operator named; ``auto``, ``gpu`` and ``mps`` mean the best one.

    Raises InvalidRequest when it is not there: a server that silently ran a hundred times slower
    than its owner asked for would be worse than one that does not start.
    """
    best = best_device()
    if wanted in ("auto", "gpu") or wanted == best:
        return best
    if wanted == "cpu":
        return "cpu"
    if wanted == "mps" and best == "metal":
        return best
    raise InvalidRequest(f"DEVICE={wanted} is not available here; this machine has: {best}")


def pick_compute_type(wanted: ComputeType, device: Device) -> ComputeType:
    """``auto`` resolved: half precision on a GPU; on a CPU, where it is emulated, float32."""
    if wanted != "auto":
        return wanted
    return "float32" if device == "cpu" else "float16"
