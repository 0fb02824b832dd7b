"""The heap of the C library, out of which tensors and arrays on the CPU are made."""

from __future__ import annotations

import ctypes
import platform


def return_freed() -> bool:
    """Give memory that was freed back to the system; whether there was any.

    glibc keeps an arena for each thread, and what is freed there between pieces that are in use. Of
    threads that load networks, and compute on batches that change in size, that becomes hundreds of
    megabytes. (A mapping for each large array, M_MMAP_THRESHOLD, keeps less as well, and costs a
    tenth of the speed.) It takes some 60 ms for 800 MB: nothing for an event loop. Without glibc
    nothing is done: macOS's allocator returns memory by itself. See malloc_trim(3).
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).malloc_trim(0))
