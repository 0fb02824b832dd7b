"""Decoding by ffmpeg, as a child process that never outlives the request it works for."""

import importlib
import logging
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import trio

from asr.pipeline.audio import Audio, ffmpeg_argv, open_samples
from asr.pipeline.errors import StorageFull, TooLarge, UnreadableAudio

log = logging.getLogger(__name__)

# What ffmpeg says first is what matters; of a damaged file it may say a line for each frame.
WORDS_BYTES_MAX = 4096

# ffmpeg decodes hours in seconds: one that has written nothing for so long will not write more.
STALL_S = 60.0

LOOK_EVERY_S = 1.0


class NoFfmpeg(Exception):
    """This machine has no ffmpeg: for the operator, at start."""


def find_ffmpeg() -> str:
    """The ffmpeg on PATH, else the one that imageio-ffmpeg brings. Raises NoFfmpeg."""
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except (ImportError, RuntimeError):
        raise NoFfmpeg("no ffmpeg was found: install it, or the package imageio-ffmpeg") from None


def nothing() -> None:
    """Nothing to check."""


async def decode(
    source: Path,
    target: Path,
    *,
    ffmpeg: str,
    seconds_max: float,
    raw: bool = False,
    check: Callable[[], None] = nothing,
    stall_s: float = STALL_S,
) -> Audio:
    """The sound of ``source`` as samples in ``target``.

    ``check`` is called every second, and what it raises ends the work: the disk is the caller's.
    Raises UnreadableAudio, TooLarge past ``seconds_max``, and StorageFull.
    """
    # One second more than is allowed, so that too long can be told from just long enough.
    argv = ffmpeg_argv(ffmpeg, source, target, seconds_max=seconds_max + 1, raw=raw)
    async with _child(argv) as process:
        words = await _watch(process, _Growth(target, stall_s), check)
        status = await process.wait()
    if status != 0:
        log.info("ffmpeg ended with %s: %s", status, words)
        raise _refusal(source, words)
    return _checked(open_samples(target), seconds_max)


@asynccontextmanager
async def _child(argv: list[str]) -> AsyncIterator[trio.Process]:
    """A child process that is gone, and reaped, when the context is left by any door."""
    process = await trio.lowlevel.open_process(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us: accepted requests may finish
    )
    try:
        yield process
    finally:
        process.kill()
        with trio.CancelScope(shield=True):  # a killed process ends at once
            await process.wait()
            if process.stderr is not None:
                await process.stderr.aclose()


@dataclass(slots=True)
class _Growth:
    """Whether the output still grows."""

    target: Path
    stall_s: float
    size: int = -1
    grew_at: float = field(default_factory=trio.current_time)

    def check(self) -> None:
        """Raise UnreadableAudio if nothing was written for too long."""
        size = self.target.stat().st_size if self.target.exists() else 0
        if size != self.size:
            self.size, self.grew_at = size, trio.current_time()
        elif trio.current_time() - self.grew_at > self.stall_s:
            raise UnreadableAudio("the decoder made no progress with this file")


async def _watch(process: trio.Process, growth: _Growth, check: Callable[[], None]) -> str:
    """Read what the child says until it ends, and keep the beginning; look after it meanwhile."""
    assert process.stderr is not None
    words = bytearray()
    look_at = trio.current_time()
    while True:
        heard: bytes | bytearray | None = None
        with trio.move_on_at(look_at):
            heard = await process.stderr.receive_some(WORDS_BYTES_MAX)
        if heard == b"":
            return words.decode(errors="replace")
        if heard is not None:
            words += heard[: WORDS_BYTES_MAX - len(words)]
        if trio.current_time() >= look_at:
            growth.check()
            check()
            look_at = trio.current_time() + LOOK_EVERY_S


def _refusal(source: Path, words: str) -> Exception:
    """What to tell the client; ffmpeg's own words hold paths, and are for the log."""
    if "No space left on device" in words or "Disk quota exceeded" in words:
        return StorageFull()
    if source.stat().st_size == 0:
        return UnreadableAudio("the file is empty")
    if "matches no streams" in words:
        return UnreadableAudio("the file has no audio track")
    return UnreadableAudio("the file is damaged or of no known audio format")


def _checked(audio: Audio, seconds_max: float) -> Audio:
    if audio.samples == 0:
        raise UnreadableAudio("the file holds no sound")
    if audio.duration_s > seconds_max:
        raise TooLarge(
            f"The audio is longer than the {seconds_max:g} s that this server accepts",
            param="file",
            code="audio_too_long",
        )
    return audio
