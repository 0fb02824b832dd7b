"""What the threads that use torch have to know of each other."""

import threading

import pytest

from asr.pipeline.errors import NotEnoughMemory
from asr.pipeline.torch_device import METAL, computing


class Both:
    """Two threads that compute on a device: whether both are at it at a time."""

    def __init__(self, device: str) -> None:
        self._device = device
        self._together = threading.Barrier(2)

    def compute(self) -> None:
        with computing(self._device):
            self._together.wait(0.2 if self._device == "mps" else 20)

    def meet(self) -> bool:
        threads = [threading.Thread(target=self._try) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return not self._together.broken

    def _try(self) -> None:
        try:
            self.compute()
        except threading.BrokenBarrierError:
            return


@pytest.mark.parametrize(("device", "meet"), [("cpu", True), ("cuda", True), ("mps", False)])
def test_on_metal_one_thread_computes_at_a_time(device: str, meet: bool) -> None:
    assert Both(device).meet() is meet


def test_memory_that_runs_out_is_told_and_the_next_may_compute() -> None:
    with pytest.raises(NotEnoughMemory), computing("cpu"):
        raise RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)")
    with pytest.raises(ZeroDivisionError), computing("mps"):
        raise ZeroDivisionError
    assert not METAL.locked()
