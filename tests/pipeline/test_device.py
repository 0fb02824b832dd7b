from pathlib import Path

import pytest

from asr.pipeline.device import Device, host_memory, memory_errors, pick_device, usable_memory
from asr.pipeline.errors import InvalidRequest, NotEnoughMemory


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[malloc] Unable to allocate 9000000000 bytes."),
        RuntimeError("[metal::malloc] Attempting to allocate 9 bytes which is greater than 8"),
        RuntimeError("[METAL] Command buffer execution failed: Insufficient Memory (00000008)"),
        RuntimeError("CUDA out of memory. Tried to allocate 9.00 GiB."),
        RuntimeError("MPS backend out of memory (MPS allocated: 9.00 GB)"),
    ],
)
def test_what_is_said_when_memory_runs_out_is_told_from_all_else(error: Exception) -> None:
    with pytest.raises(NotEnoughMemory), memory_errors():
        raise error


def test_any_other_error_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="shapes"), memory_errors():
        raise RuntimeError("[matmul] shapes do not match")


def test_a_container_has_the_memory_that_it_was_given(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1000000\n")
    assert host_memory(limit) == 1_000_000


@pytest.mark.parametrize("text", ["max\n", "", "99999999999999999\n"])
def test_a_limit_that_says_nothing_leaves_what_the_machine_has(tmp_path: Path, text: str) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text(text)
    assert host_memory(limit) == host_memory(tmp_path / "no such file") > 1 << 28


def test_a_cpus_arrays_leave_half_of_the_memory_to_others() -> None:
    assert usable_memory("cpu") == host_memory() // 2


@pytest.mark.parametrize(
    ("best", "wanted", "picked"),
    [
        *((best, "auto", best) for best in ("cpu", "metal", "cuda")),
        *((best, "cpu", "cpu") for best in ("cpu", "metal", "cuda")),
        *((best, "gpu", best) for best in ("metal", "cuda")),
        *(("metal", wanted, "metal") for wanted in ("metal", "mps")),
        ("cuda", "cuda", "cuda"),
    ],
)
def test_a_device_has_the_names_that_people_call_it_by(
    monkeypatch: pytest.MonkeyPatch, best: Device, wanted: str, picked: Device
) -> None:
    monkeypatch.setattr("asr.pipeline.device.best_device", lambda: best)
    assert pick_device(wanted) == picked


@pytest.mark.parametrize(
    ("best", "wanted"),
    [
        *(("cpu", wanted) for wanted in ("gpu", "mps", "metal", "cuda")),
        *(("cuda", wanted) for wanted in ("mps", "metal")),
        ("metal", "cuda"),
    ],
)
def test_a_device_that_is_not_there_is_not_replaced_by_a_slower_one(
    monkeypatch: pytest.MonkeyPatch, best: Device, wanted: str
) -> None:
    monkeypatch.setattr("asr.pipeline.device.best_device", lambda: best)
    with pytest.raises(InvalidRequest, match=f"ALIGN_DEVICE={wanted} is not .* has: {best}"):
        pick_device(wanted, setting="ALIGN_DEVICE")
