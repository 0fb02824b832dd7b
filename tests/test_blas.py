"""The fast BLAS is there on a bare Linux machine, and we do not claim it where it is not used."""

import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import pytest

from asr.blas import preload_blas

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="MLX's CPU wheel is for Linux"
)


def run(program: str, **environment: str) -> list[str]:
    """What a fresh process prints: a library that was loaded once stays."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        check=True,
    )
    return done.stdout.decode().splitlines()


def test_openblas_loads_before_mlx_and_is_what_every_library_finds_first() -> None:
    first, again, found = run(
        "import ctypes\n"
        "from asr.blas import preload_blas\n"
        "print(preload_blas())\n"
        "import mlx.core\n"
        "print(preload_blas())\n"
        "everyone = ctypes.CDLL(None)\n"
        "print(hasattr(everyone, 'cblas_sgemm') and hasattr(everyone, 'openblas_get_config'))\n"
    )
    assert first.startswith("OpenBLAS 0.3.")
    assert (again, found) == (first, "True")


def test_torch_keeps_to_its_own(tmp_path: Path) -> None:
    """As the loader tells it: "binding file A.so [0] to B.so [0]: normal symbol `sgemm_'"."""
    run(
        "from asr.blas import preload_blas; preload_blas(); import mlx.core",
        LD_DEBUG="bindings",
        LD_DEBUG_OUTPUT=str(tmp_path / "told"),
    )
    told = "".join(file.read_text(errors="replace") for file in tmp_path.iterdir())
    line = re.compile(
        r"/(libtorch_cpu|libmlx)\.so \[0\] to \S*/(\w+)\S* \[0\]: normal symbol "
        r"`(sgemm_|dgemm_|sdot_|cblas_sgemm|cblas_sgemm_batch)'"
    )
    assert sorted(set(line.findall(told))) == [
        ("libmlx", "libopenblasp", "cblas_sgemm"),
        ("libtorch_cpu", "libtorch_cpu", "cblas_sgemm_batch"),
        ("libtorch_cpu", "libtorch_cpu", "dgemm_"),
        ("libtorch_cpu", "libtorch_cpu", "sdot_"),
        ("libtorch_cpu", "libtorch_cpu", "sgemm_"),
    ]


def test_after_mlx_was_imported_it_says_that_the_slow_one_is_used() -> None:
    said = run("import mlx.core; from asr.blas import preload_blas; print(preload_blas())")
    assert said == ["reference BLAS, slow: MLX was imported before OpenBLAS"]


def test_macos_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert preload_blas() == "Accelerate"
