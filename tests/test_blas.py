"""The fast BLAS is there on a bare Linux machine, and we do not claim it where it is not used."""

import platform
import subprocess
import sys

import pytest

from asr.blas import preload_blas

pytestmark = pytest.mark.skipif(
    (sys.platform, platform.machine()) != ("linux", "x86_64"), reason="MLX's CPU wheel is for Linux"
)


def run(program: str) -> list[str]:
    """What a fresh process prints: a library that was loaded once stays."""
    done = subprocess.run([sys.executable, "-c", program], stdout=subprocess.PIPE, check=True)
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


def test_after_mlx_was_imported_it_says_that_the_slow_one_is_used() -> None:
    said = run("import mlx.core; from asr.blas import preload_blas; print(preload_blas())")
    assert said == ["reference BLAS, slow: MLX was imported before OpenBLAS"]


def test_macos_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert preload_blas() == "Accelerate"
