"""What was freed goes back to the system."""

import os
import platform
from pathlib import Path

import pytest

from asr.pipeline.heap import return_freed

PIECE = 64 * 1024  # small enough that it is never a mapping of its own
COUNT = 3200  # 200 MB


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators do it themselves")
def test_pieces_that_were_freed_between_others_are_returned() -> None:
    pieces = [bytearray(os.urandom(8) * (PIECE // 8)) for _ in range(COUNT)]
    kept, pieces[:] = pieces[::16], []  # what is in use holds the rest of the heap in its place
    held = resident_bytes()
    assert return_freed()
    assert resident_bytes() < held - COUNT * PIECE // 2
    assert len(kept) == COUNT // 16
