"""Which linear algebra MLX computes with on the CPU. On Linux its wheel links the reference BLAS,
some 40 times slower than an optimised one; the library that is loaded first wins.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

REFERENCE = "reference BLAS, slow"


def preload_blas() -> str:
    """Load OpenBLAS, if it is installed, and say in words which BLAS MLX's CPU backend uses.

    To be called before the first ``import mlx.core`` of the process; after it there is no effect,
    and the answer says so. A call and not work at import: it maps 40 MB and starts a thread for
    each core, which a program that only lists models or reads settings need not pay for.
    """
    if sys.platform != "linux":
        return "Accelerate"
    library = next(_files("ngsolve_openblas", "libopenblas*.so*"), None)
    if library is None:
        return f"{REFERENCE}: the package ngsolve-openblas is not installed"
    # RTLD_NOLOAD opens only what is in memory already: then an earlier call was in time.
    if "mlx.core" in sys.modules and not _load(library, os.RTLD_NOLOAD):
        return f"{REFERENCE}: MLX was imported before OpenBLAS"
    _bind_torch()
    loaded = _load_beside_fortran(library)
    return _describe(loaded) if loaded else f"{REFERENCE}: OpenBLAS does not load here"


def _files(package: str, pattern: str) -> Iterator[Path]:
    """Files in the folder or folders of an installed package, which is not imported."""
    spec = find_spec(package)
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from Path(folder).glob(pattern)


def _bind_torch() -> None:
    """Have torch find its own linear algebra, while OpenBLAS is not there yet.

    That is MKL, inside ``libtorch_cpu.so``. Some names are the same (``sgemm_`` and
    ``cblas_sgemm_batch``), and a library finds the global ones first: loaded later, torch would
    compute part of it with OpenBLAS, on as many threads as there are cores whatever it was told,
    and in turns with MLX. It takes half a second, which the import of torch saves later on.
    """
    for library in _files("torch", "lib/libtorch_cpu.so"):
        # Where it needs what only ``import torch`` finds: that will say so itself.
        with suppress(OSError):
            ctypes.CDLL(str(library), mode=os.RTLD_LOCAL | os.RTLD_NOW)


def _load(library: Path, flags: int = 0) -> ctypes.CDLL | None:
    # RTLD_GLOBAL: the loader then finds these symbols before those of the library MLX links.
    try:
        return ctypes.CDLL(str(library), mode=os.RTLD_GLOBAL | os.RTLD_NOW | flags)
    except OSError:
        return None


def _load_beside_fortran(library: Path) -> ctypes.CDLL | None:
    """Load OpenBLAS, which asks for a ``libgfortran.so.5`` that few machines have.

    MLX's own wheel ships one under another name, and OpenBLAS looks beside itself first (its RPATH
    is $ORIGIN). So both are opened through links in one folder, which may go once they are mapped.
    """
    shipped = {file.name: file for file in _files("mlx", "../mlx_cpu.libs/lib*")}
    links = {library.name: library} | shipped
    for name in shipped:
        if name.startswith("libgfortran"):
            links["libgfortran.so.5"] = shipped[name]
    try:
        with TemporaryDirectory() as folder:
            for name, file in links.items():
                Path(folder, name).symlink_to(file.resolve())
            return _load(Path(folder, library.name))
    except OSError:  # nowhere to put links: no reason not to start
        return None


def _describe(library: ctypes.CDLL) -> str:
    """For instance "OpenBLAS 0.3.33 (Haswell, 8 threads)"."""
    library.openblas_get_config.restype = ctypes.c_char_p
    library.openblas_get_corename.restype = ctypes.c_char_p
    name, version, *_ = library.openblas_get_config().decode().split()
    core = library.openblas_get_corename().decode()
    threads = library.openblas_get_num_threads()
    return f"{name} {version} ({core}, {threads} thread{'s' if threads != 1 else ''})"
