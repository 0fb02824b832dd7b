"""Files that ask to open others: an ffmpeg without bounds does, ours does not."""

from __future__ import annotations

import subprocess
import time
from contextlib import suppress
from types import MappingProxyType
from typing import TYPE_CHECKING

import pytest
from imageio_ffmpeg import get_ffmpeg_exe

from asr.actors.ffmpeg import decode, find_ffmpeg
from asr.pipeline.errors import UnreadableAudio
from tests.attack.corpus_run import canaries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.attack.corpus_run import Watched

# What a reader that trusts everybody would be told, by the kind of file.
TRUSTING: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "m3u8": ("-f", "hls", "-allowed_extensions", "ALL"),
        "concat script": ("-f", "concat", "-safe", "0"),
        "DASH": (),
        "MOV elsewhere, alias": ("-enable_drefs", "1", "-use_absolute_path", "1"),
    }
)
PROTOCOLS = "file,http,tcp,subfile,concat,crypto,async"
PATIENCE_S = 5.0


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    with canaries(tmp_path) as watched:
        yield watched


def lures(watched: Watched, kind: str) -> dict[str, bytes]:
    """The lures of a kind that ask for the plain file, or for the server."""
    asks = ("", f": {watched.canaries.file}", f": http://{watched.canaries.host}/a.ts")
    named = dict(watched.canaries.lures())
    return {kind + ask: named[kind + ask] for ask in asks if kind + ask in named}


@pytest.mark.parametrize("kind", TRUSTING)
def test_a_reader_that_trusts_everybody_opens_what_a_lure_asks_for(
    watched: Watched, tmp_path: Path, kind: str
) -> None:
    """Otherwise it would prove nothing that ours does not."""
    source = tmp_path / "lure"
    for name, content in lures(watched, kind).items():
        source.write_bytes(content)
        argv = [get_ffmpeg_exe(), "-v", "quiet", "-protocol_whitelist", PROTOCOLS, *TRUSTING[kind]]
        with subprocess.Popen([*argv, "-i", str(source)], stdin=subprocess.DEVNULL) as reader:
            try:
                assert touched_soon(watched), name
            finally:
                reader.kill()


def touched_soon(watched: Watched) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while not watched.touched():
        if time.monotonic() > deadline:
            return False
    return True


@pytest.mark.parametrize("kind", TRUSTING)
async def test_ours_opens_nothing_but_the_file_itself(
    watched: Watched, tmp_path: Path, kind: str
) -> None:
    source, target = tmp_path / "lure", tmp_path / "samples"
    for content in lures(watched, kind).values():
        source.write_bytes(content)
        with suppress(UnreadableAudio):  # whoever opens the pipe hangs, and makes no progress
            await decode(source, target, ffmpeg=find_ffmpeg(), seconds_max=10, stall_s=5)
        assert watched.touched() == []
        assert not target.exists() or not target.stat().st_size
