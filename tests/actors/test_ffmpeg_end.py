"""What becomes of a decoder that does not even end when it is killed."""

import gc
import os
import signal
from pathlib import Path

import pytest
import trio

from asr.actors import ffmpeg


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # as it is left behind
@pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning")
async def test_a_child_that_outlives_its_killing_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spared: list[int] = []
    kill = os.killpg
    with monkeypatch.context() as patched:
        patched.setattr(ffmpeg, "KILLED_S", 0.05)
        patched.setattr(os, "killpg", lambda group, _signal: spared.append(group))
        program = tmp_path / "ffmpeg"
        program.write_text("#!/bin/sh\nexec sleep 60")
        program.chmod(0o700)
        with trio.move_on_after(0.2) as left:
            await ffmpeg.decode(tmp_path, tmp_path / "to", ffmpeg=str(program), seconds_max=1)
    (group,) = spared
    kill(group, signal.SIGKILL)
    assert left.cancelled_caught
    gc.collect()  # here, and not in a test that would hear the warnings
