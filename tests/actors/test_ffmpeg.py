"""With the real ffmpeg, so on the real clock; the children that hang are small shell scripts."""

import os
import sys
import wave
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import trio
from numpy.typing import NDArray

from asr.actors.ffmpeg import decode, find_ffmpeg
from asr.pipeline.audio import SAMPLE_RATE, Audio, Wanted
from asr.pipeline.errors import StorageFull, TooLarge, UnreadableAudio


@pytest.fixture(scope="module")
def ffmpeg() -> str:
    return find_ffmpeg()


Samples = NDArray[np.int16]


def tone(seconds: float, *, rate: int = SAMPLE_RATE) -> Samples:
    """440 Hz at half of full scale."""
    times = np.arange(round(seconds * rate)) / rate
    return np.round(16384 * np.sin(2 * np.pi * 440 * times)).astype("<i2")


def wav(path: Path, samples: Samples, *, rate: int = SAMPLE_RATE, channels: int = 1) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())
    return path


LOOKING = 'case "$*" in *"-loglevel info"*)'
FOUND = "echo 'Input #0, flac'; echo '  Stream #0:0: Audio: flac'; exit 1"


def script(path: Path, *lines: str, looks: str = FOUND) -> str:
    """A program that stands in for ffmpeg: it finds a track when it looks, and then does this."""
    path.write_text("\n".join(("#!/bin/sh", f"exec >&2; {LOOKING} {looks};; esac", *lines)))
    path.chmod(0o700)
    return str(path)


def samples_of(audio: Audio) -> bytes:
    return audio.path.read_bytes()


async def test_16_khz_mono_comes_through_as_it_is(tmp_path: Path, ffmpeg: str) -> None:
    said = tone(0.5)
    source, target = wav(tmp_path / "said", said), tmp_path / "samples"
    audio = await decode(source, target, ffmpeg=ffmpeg, seconds_max=10)
    assert audio == Audio(target, 8000)
    assert samples_of(audio) == said.tobytes()


async def test_any_rate_and_channels_become_16_khz_mono(tmp_path: Path, ffmpeg: str) -> None:
    stereo = np.repeat(tone(1, rate=44100), 2)
    source = wav(tmp_path / "said", stereo, rate=44100, channels=2)
    audio = await decode(source, tmp_path / "samples", ffmpeg=ffmpeg, seconds_max=10)
    assert audio.duration_s == pytest.approx(1, abs=0.01)
    heard = audio.read(0.2, 0.8)
    assert abs(float((heard**2).mean()) - 0.125) < 0.005  # half of full scale: 0.5**2 / 2


async def test_raw_samples_need_no_container(tmp_path: Path, ffmpeg: str) -> None:
    source = tmp_path / "said"
    source.write_bytes(tone(0.5).tobytes() + b"\x01")  # the last sample is cut in two
    wanted = Wanted(raw=True)
    audio = await decode(source, tmp_path / "samples", wanted, ffmpeg=ffmpeg, seconds_max=10)
    assert samples_of(audio) == tone(0.5).tobytes()


async def test_silence_is_audio(tmp_path: Path, ffmpeg: str) -> None:
    source = wav(tmp_path / "said", np.zeros(SAMPLE_RATE, "<i2"))
    audio = await decode(source, tmp_path / "samples", ffmpeg=ffmpeg, seconds_max=10)
    assert samples_of(audio) == bytes(2 * SAMPLE_RATE)


async def test_a_file_that_was_cut_off_gives_what_is_there(tmp_path: Path, ffmpeg: str) -> None:
    source = wav(tmp_path / "said", tone(1))
    os.truncate(source, 44 + 16000)  # the header, and half of the sound
    audio = await decode(source, tmp_path / "samples", ffmpeg=ffmpeg, seconds_max=10)
    assert audio.duration_s == 0.5


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"not a sound " * 1000, "the file is damaged or of no known audio format"),
        (bytes(100_000), "the file is damaged or of no known audio format"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "the file is damaged or of no known audio format"),
        (b"WEBVTT\n\n00:01.000 --> 00:04.000\nHello\n", "the file is damaged or of no known"),
    ],
    ids=["empty", "text", "zeros", "cut off in its header", "subtitles"],
)
async def test_what_holds_no_audio_is_unreadable(
    tmp_path: Path, ffmpeg: str, content: bytes, reason: str
) -> None:
    source = tmp_path / "said"
    source.write_bytes(content)
    with pytest.raises(UnreadableAudio, match=f"^failed to decode audio: {reason}"):
        await decode(source, tmp_path / "samples", ffmpeg=ffmpeg, seconds_max=10)


async def test_a_container_without_a_sample_is_unreadable(tmp_path: Path, ffmpeg: str) -> None:
    source = wav(tmp_path / "said", tone(0))
    with pytest.raises(UnreadableAudio):
        await decode(source, tmp_path / "samples", ffmpeg=ffmpeg, seconds_max=10)


async def test_the_longest_audio_allowed_passes_and_more_is_too_large(
    tmp_path: Path, ffmpeg: str
) -> None:
    target = tmp_path / "samples"
    just = await decode(wav(tmp_path / "1", tone(2)), target, ffmpeg=ffmpeg, seconds_max=2)
    assert just.duration_s == 2
    with pytest.raises(TooLarge, match="longer than the 2 s"):
        await decode(wav(tmp_path / "2", tone(2.1)), target, ffmpeg=ffmpeg, seconds_max=2)
    with pytest.raises(TooLarge):
        await decode(wav(tmp_path / "3", tone(9)), target, ffmpeg=ffmpeg, seconds_max=2)
    assert target.stat().st_size == 3 * 2 * SAMPLE_RATE  # no more than was needed to tell


@pytest.mark.parametrize("times", ["0", "if(gt(N,4),TS+40000000,TS)"], ids=["stand", "leap"])
async def test_samples_are_counted_whatever_the_files_own_clock_says(
    tmp_path: Path, ffmpeg: str, times: str
) -> None:
    """By its clock a file of ten hours lasts no time at all, or ends long before its sound does."""
    source, target = tmp_path / "said.mkv", tmp_path / "samples"
    stamped = ("-c", "copy", "-bsf:a", f"setts=ts='{times}'")
    said = wav(tmp_path / "said", tone(2))
    await trio.run_process([ffmpeg, "-v", "error", "-i", str(said), *stamped, str(source)])
    whole = await decode(source, target, ffmpeg=ffmpeg, seconds_max=10)
    assert samples_of(whole) == tone(2).tobytes()
    first = await decode(source, target, Wanted(first_s=1), ffmpeg=ffmpeg, seconds_max=10)
    assert samples_of(first) == tone(2)[:SAMPLE_RATE].tobytes()
    with pytest.raises(TooLarge):
        await decode(source, target, ffmpeg=ffmpeg, seconds_max=0.5)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot be told")
async def test_a_child_has_bounds_of_its_own(tmp_path: Path) -> None:
    wait = 'until grep -q "open files *64 " /proc/$$/limits; do :; done'
    bounded = script(tmp_path / "ffmpeg", wait, f"cat /proc/$$/limits > {tmp_path}/limits; exit 1")
    source = tmp_path / "said"
    source.write_bytes(b"junk")
    with pytest.raises(UnreadableAudio):
        await decode(source, tmp_path / "samples", ffmpeg=bounded, seconds_max=10)
    lines = (tmp_path / "limits").read_text().splitlines()
    limits = {line[:25].strip(): line[25:].split()[:2] for line in lines}
    assert limits["Max address space"] == [str(2 << 30)] * 2
    assert limits["Max cpu time"] == ["3600"] * 2
    written_s = 12  # what tells too long from just long enough, and a second more
    assert limits["Max file size"] == [str(written_s * SAMPLE_RATE * 2)] * 2


@pytest.mark.parametrize("trouble", ["kill -XCPU $$", "echo 'Cannot allocate memory'; exit 1"])
async def test_a_child_that_takes_too_much_has_its_file_to_blame(
    tmp_path: Path, trouble: str
) -> None:
    greedy = script(tmp_path / "ffmpeg", trouble)
    source = tmp_path / "said"
    source.write_bytes(b"junk")
    with pytest.raises(UnreadableAudio, match="more memory or time"):
        await decode(source, tmp_path / "samples", ffmpeg=greedy, seconds_max=10)


MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period duration="PT1S"><AdaptationSet
 mimeType="audio/mp4" contentType="audio"><Representation id="0" bandwidth="1000"
 codecs="mp4a.40.2"><BaseURL>canary.ts</BaseURL></Representation></AdaptationSet></Period></MPD>
"""


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("said.m3u8", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\ncanary.ts\n#EXT-X-ENDLIST\n"),
        ("said.ffconcat", "ffconcat version 1.0\nfile 'canary.ts'\n"),
        ("said.mpd", MPD),
    ],
)
async def test_a_playlist_reads_no_other_file(
    tmp_path: Path, ffmpeg: str, name: str, content: str
) -> None:
    """An ffmpeg without our list of formats opens the canary in each of these cases."""
    os.mkfifo(tmp_path / "canary.ts")  # whoever opens it hangs, and hears of no progress
    source = tmp_path / name
    source.write_text(content)
    with pytest.raises(UnreadableAudio, match="no known audio format"):
        await decode(source, tmp_path / "samples", ffmpeg=ffmpeg, seconds_max=10, stall_s=5)


async def test_neither_paths_nor_the_decoders_words_reach_the_client(
    tmp_path: Path, ffmpeg: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    source = tmp_path / "said"
    source.write_bytes(b"junk")
    with pytest.raises(UnreadableAudio) as refusal:
        await decode(source, tmp_path / "samples", ffmpeg=ffmpeg, seconds_max=10)
    assert str(tmp_path) not in refusal.value.message
    assert str(tmp_path) in caplog.text


async def test_a_decoder_that_chatters_is_heard_to_its_end_and_kept_short(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    source = tmp_path / "said"
    source.write_bytes(b"junk")
    chatty = script(tmp_path / "ffmpeg", "head -c 1000000 /dev/zero | tr '\\0' x >&2; exit 1")
    with pytest.raises(UnreadableAudio):
        await decode(source, tmp_path / "samples", ffmpeg=chatty, seconds_max=10)
    assert caplog.messages == [f"ffmpeg ended with 1: {'x' * 4096}"]


async def test_a_full_disk_is_not_the_clients_fault(tmp_path: Path) -> None:
    full = script(tmp_path / "ffmpeg", "echo 'samples: No space left on device' >&2; exit 228")
    with pytest.raises(StorageFull):
        await decode(tmp_path / "said", tmp_path / "samples", ffmpeg=full, seconds_max=10)


@pytest.fixture(params=["when it looks", "when it decodes"])
def hanging(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A decoder that notes its process id, and then does nothing for an hour."""
    hang = f"echo $$ > {tmp_path}/pid; exec sleep 3600"
    looks = hang if request.param == "when it looks" else FOUND
    return script(tmp_path / "ffmpeg", hang, looks=looks)


@pytest.fixture
def children(tmp_path: Path) -> Iterator[list[int]]:
    """Filled with the decoder's process id; makes sure that it does not outlive the test."""
    children: list[int] = []
    yield children
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, 9)


async def started(tmp_path: Path, children: list[int]) -> int:
    """The process id of the hanging decoder, once it is there."""
    note = trio.Path(tmp_path / "pid")
    while not await note.exists() or not (text := await note.read_text()).strip():
        await trio.lowlevel.checkpoint()
    children.append(int(text))
    return children[0]


def alive(process: int) -> bool:
    """Also true of a child that ended and was not reaped."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


async def test_a_caller_who_leaves_kills_the_decoder(
    tmp_path: Path, hanging: str, children: list[int]
) -> None:
    async with trio.open_nursery() as caller:
        source, target = tmp_path / "said", tmp_path / "samples"
        caller.start_soon(partial(decode, source, target, ffmpeg=hanging, seconds_max=10))
        child = await started(tmp_path, children)
        assert alive(child)
        caller.cancel_scope.cancel()
    assert not alive(child)


async def test_a_decoder_that_writes_nothing_more_is_killed(tmp_path: Path, hanging: str) -> None:
    source, target = tmp_path / "said", tmp_path / "samples"
    with pytest.raises(UnreadableAudio, match="no progress"):
        await decode(source, target, ffmpeg=hanging, seconds_max=10, stall_s=0.1)
    assert not alive(int((tmp_path / "pid").read_text()))


async def test_what_the_check_raises_ends_the_decoder(tmp_path: Path, hanging: str) -> None:
    def check() -> None:
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text():
            raise StorageFull

    source, target = tmp_path / "said", tmp_path / "samples"
    with pytest.raises(StorageFull):
        await decode(source, target, ffmpeg=hanging, seconds_max=10, check=check)
    assert not alive(int((tmp_path / "pid").read_text()))
