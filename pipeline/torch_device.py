"""What torch computes on beside MLX, and what its threads have to know of each other there.

torch is imported when asked, not before: ``heavy.py`` says how.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from threading import Lock
from typing import TYPE_CHECKING

from asr.pipeline.device import memory_errors
from asr.pipeline.errors import NotEnoughMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr.pipeline.device import Device

# Two threads that have torch compute on Metal at a time crash the process, with no exception to
# catch: its caches of pipelines and encoders are not made for that (pytorch issue 197805).
METAL = Lock()


def torch_device(device: Device) -> str:
    """A device by torch's name; the CPU, where this build of torch does not know it."""
    import torch

    if device == "cuda" and torch.cuda.is_available():
        return "cuda"
    return "mps" if device == "metal" and torch.backends.mps.is_available() else "cpu"


@contextmanager
def computing(device: str) -> Iterator[None]:
    """Have torch compute on a device, by torch's name: one thread at a time where it must be.

    What runs out of memory raises NotEnoughMemory, and what torch held in reserve is given back.
    """
    with METAL if device == "mps" else nullcontext():
        try:
            with memory_errors():
                yield
        except NotEnoughMemory:
            _give_back(device)
            raise


def _give_back(device: str) -> None:
    import torch

    if device == "cuda":
        torch.cuda.empty_cache()
    elif device == "mps":
        torch.mps.empty_cache()
