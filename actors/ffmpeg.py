"""Decoding by ffmpeg, as a child process that never outlives the request it works for."""

from __future__ import annotations

import importlib
import logging
import os
import resource
import shutil
import signal
import subprocess
import sys
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import trio

from asr.pipeline.audio import (
    SAMPLE_BYTES,
    SAMPLE_RATE,
    Audio,
    Track,
    Wanted,
    choose,
    ffmpeg_argv,
    look_argv,
    open_samples,
    track_of,
)
from asr.pipeline.errors import StorageFull, TooLarge, UnreadableAudio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

log = logging.getLogger(__name__)

# Of a damaged file ffmpeg may say a line for each frame.
WORDS_BYTES_MAX = 4096

# ffmpeg decodes hours in seconds: one that has written nothing for so long will not write more.
STALL_S = 60.0

LOOK_EVERY_S = 1.0

# A killed process ends at once, unless it waits for a disk that hangs: then nobody waits for it.
KILLED_S = 5.0

# ffmpeg itself opens no file of more streams than this, and prints no line of ours that is longer.
STREAMS_MAX = 1000
LINE_BYTES_MAX = 1000

# What a child may take, as files can be made to cost. Ten hours of film take 0.7 GB of addresses, a
# tenth of it in memory, two minutes of one core and a dozen descriptors.
MEMORY_BYTES_MAX = 2 << 30
CPU_S_MAX = 3600
DESCRIPTORS_MAX = 64

WHOLE = Wanted()

# What samples without a container are, in the terms of files that have one.
SAMPLES = Track(0, default=True, known=True)


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
    wanted: Wanted = WHOLE,
    *,
    ffmpeg: str,
    seconds_max: float,
    check: Callable[[], None] = nothing,
    stall_s: float = STALL_S,
) -> Audio:
    """The sound of ``source`` as samples in ``target``.

    ``check`` is called every second, and what it raises ends the work: the disk is the caller's.
    Raises UnreadableAudio, InvalidRequest for a track that is not there, TooLarge past
    ``seconds_max`` unless only the first seconds are wanted, and StorageFull.
    """
    # One second more than is allowed, so that too long can be told from just long enough.
    first_s = wanted.first_s
    longest_s = seconds_max + 1 if first_s is None else min(first_s, seconds_max)
    growth = _Growth(target, _bytes(longest_s), stall_s)
    stream = await _look(source, wanted, growth, ffmpeg=ffmpeg, check=check)
    argv = ffmpeg_argv(ffmpeg, source, target, seconds_max=longest_s, raw=wanted.raw, stream=stream)
    words = Words()
    status = await _run(argv, growth, check, words)
    if status != 0:
        raise _refusal(source, status, words)
    return _checked(target, seconds_max)


def _bytes(seconds: float) -> int:
    """What so many seconds take on the disk, and a little."""
    return round((seconds + 1) * SAMPLE_RATE) * SAMPLE_BYTES


async def _look(
    source: Path, wanted: Wanted, growth: _Growth, *, ffmpeg: str, check: Callable[[], None]
) -> str:
    """Which stream of the file to take, in ffmpeg's words.

    ffmpeg's own choice would be the track of the most channels: in films, often a commentary or
    another language. Newer versions can be asked for the default track, older ones cannot.
    """
    if wanted.raw:
        return str(choose([SAMPLES], wanted.audio_track).stream)
    account = Account()
    status = await _run(look_argv(ffmpeg, source), growth, check, account)
    if account.tracks:
        return str(choose(account.in_order(), wanted.audio_track).stream)
    if account.opened:
        raise UnreadableAudio("the file has no audio track")
    raise _refusal(source, status, account.words)


async def _run(
    argv: list[str], growth: _Growth, check: Callable[[], None], listener: Words | Account
) -> int:
    """The exit status of a child that was heard to its end."""
    async with _child(argv) as process:
        _bound(process.pid, growth.bytes_max)
        await _watch(process, growth, check, listener)
        return await process.wait()


@asynccontextmanager
async def _child(argv: list[str]) -> AsyncIterator[trio.Process]:
    """A child process that is killed, and waited for, when the context is left by any door."""
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
        with suppress(ProcessLookupError, PermissionError):  # nobody is left of them
            os.killpg(process.pid, signal.SIGKILL)  # with all that it has started
        with trio.move_on_after(KILLED_S, shield=True):
            if process.stderr is not None:
                await process.stderr.aclose()
            await process.wait()


def _bound(child: int, written_max: int) -> None:
    """Have the kernel end a child that takes too much; other systems than Linux cannot be told.

    What ffmpeg may write is counted in its command. Here that is for one that has been turned.
    """
    if sys.platform != "linux":
        return
    bounds = {
        resource.RLIMIT_AS: MEMORY_BYTES_MAX,
        resource.RLIMIT_CPU: CPU_S_MAX,
        resource.RLIMIT_FSIZE: written_max,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NOFILE: DESCRIPTORS_MAX,
    }
    # It has ended already, or a container's policy forbids it: then ffmpeg's own bounds are left.
    with suppress(ProcessLookupError, PermissionError):
        for kind, most in bounds.items():
            _, hard = resource.prlimit(child, kind)
            ceiling = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.prlimit(child, kind, (ceiling, ceiling))


@dataclass(slots=True)
class _Growth:
    """Whether the output still grows, and how large it may become."""

    target: Path
    bytes_max: int
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


@dataclass(slots=True)
class Words:
    """The beginning of what was said: that is what matters."""

    said: bytearray = field(default_factory=bytearray)

    def hear(self, chunk: bytes | bytearray) -> None:
        self.said += chunk[: WORDS_BYTES_MAX - len(self.said)]

    def __str__(self) -> str:
        return self.said.decode(errors="replace")


@dataclass(slots=True)
class Account:
    """The audio tracks among all that ffmpeg says of a file, by the numbers of their streams.

    Its titles and chapters may be long and stand before them: they are dropped as they come.
    """

    words: Words = field(default_factory=Words)
    tracks: dict[int, Track] = field(default_factory=dict)
    opened: bool = False
    _line: bytes = b""

    def hear(self, chunk: bytes | bytearray) -> None:
        self.words.hear(chunk)
        *lines, rest = (self._line + chunk).split(b"\n")
        for line in lines:
            self._note(line.decode(errors="replace"))
        self._line = rest[:LINE_BYTES_MAX]

    def in_order(self) -> list[Track]:
        """The tracks as the file has them: ffmpeg tells of broadcasts program by program."""
        return [self.tracks[stream] for stream in sorted(self.tracks)]

    def _note(self, line: str) -> None:
        self.opened = self.opened or line.startswith("Input #0")
        track = track_of(line)
        if track is not None and len(self.tracks) < STREAMS_MAX:
            self.tracks.setdefault(track.stream, track)  # a stream of two programs is told twice


async def _watch(
    process: trio.Process, growth: _Growth, check: Callable[[], None], listener: Words | Account
) -> None:
    """Hear what the child says until it ends; look after it meanwhile."""
    assert process.stderr is not None
    look_at, ended = trio.current_time(), False
    while True:
        heard: bytes | bytearray | None = None
        with trio.move_on_at(look_at):
            heard = await process.stderr.receive_some(WORDS_BYTES_MAX)
        if heard == b"":
            return
        if heard is not None:
            listener.hear(heard)
        if trio.current_time() >= look_at:
            if ended:
                return  # what it had started holds on to its stderr
            ended = process.returncode is not None
            growth.check()
            check()
            look_at = trio.current_time() + LOOK_EVERY_S


def _refusal(source: Path, status: int, words: Words) -> Exception:
    """What to tell the client; ffmpeg's own words hold paths, and are for the log."""
    said = str(words)
    log.info("ffmpeg ended with %s: %s", status, said)
    if "No space left on device" in said or "Disk quota exceeded" in said:
        return StorageFull()
    if source.stat().st_size == 0:
        return UnreadableAudio("the file is empty")
    if status < 0 or "Cannot allocate memory" in said:
        return UnreadableAudio("it takes more memory or time to read than a file may take")
    return UnreadableAudio("the file is damaged or of no known audio format")


def _checked(target: Path, seconds_max: float) -> Audio:
    audio = open_samples(target) if target.exists() else None
    if audio is None or audio.samples == 0:
        raise UnreadableAudio("the file holds no sound")
    if audio.duration_s > seconds_max:
        raise TooLarge(
            f"The audio is longer than the {seconds_max:g} s that this server accepts",
            param="file",
            code="audio_too_long",
        )
    return audio
