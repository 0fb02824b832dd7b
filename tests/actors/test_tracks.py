"""Films of tones, made and read by the real ffmpeg: which of their tracks is heard, how long."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import imageio_ffmpeg
import numpy as np
import pytest

from asr.actors.ffmpeg import Account, decode, find_ffmpeg
from asr.pipeline.audio import SAMPLE_RATE, Audio, Wanted
from asr.pipeline.errors import InvalidRequest, TooLarge, UnreadableAudio

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = ("-f", "lavfi", "-i", "color=size=64x64:rate=5:duration=2")
LOSSLESS = "-c:v mpeg4 -c:a pcm_s16le"
AAC = "-c:v mpeg4 -c:a aac"
BROADCAST = "-c:v mpeg2video -r:v 25 -c:a mp2"


def make(*argv: str) -> None:
    made_by = (imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", "-y")
    subprocess.run([*made_by, *argv], check=True)


def film(file: Path, flags: str, options: str = LOSSLESS) -> Path:
    """A picture and a track for each flag, D for default: 400 Hz, 800 Hz, … for two seconds.

    The last track that is not a default one has most channels: that is what ffmpeg would choose.
    """
    argv = [*PICTURE]
    for number in range(1, len(flags) + 1):
        argv += ["-f", "lavfi", "-i", f"sine={400 * number}:sample_rate=48000:duration=2"]
    argv += ["-map", "0:v"]
    for number, flag in enumerate(flags):
        argv += ["-map", f"{number + 1}:a"]
        argv += [f"-disposition:a:{number}", "default" if flag == "D" else "0"]
    loudest = max((number for number, flag in enumerate(flags) if flag == "-"), default=None)
    if loudest is not None and "mp2" not in options:
        argv += [f"-ac:a:{loudest}", "6"]
    make(*argv, *options.split(), str(file))
    return file


async def read(file: Path, wanted: Wanted, seconds_max: float = 10.0) -> Audio:
    target = file.with_name("samples")
    return await decode(file, target, wanted, ffmpeg=find_ffmpeg(), seconds_max=seconds_max)


async def track_heard(file: Path, number: int | None = None) -> int:
    """Which track was read, by its pitch."""
    audio = await read(file, Wanted(audio_track=number))
    heard = np.abs(np.fft.rfft(audio.read(0.5, 1.5)))  # a second: a bin is one Hz
    return round(int(heard.argmax()) / 400)


@pytest.mark.parametrize(("extension", "options"), [("mkv", LOSSLESS), ("mp4", AAC)])
@pytest.mark.parametrize(("flags", "track"), [("-D", 2), ("DD", 1), ("D-", 1), ("--D", 3)])
async def test_the_default_track_is_heard(
    tmp_path: Path, extension: str, options: str, flags: str, track: int
) -> None:
    assert await track_heard(film(tmp_path / f"film.{extension}", flags, options)) == track


@pytest.mark.parametrize(
    ("extension", "options"), [("mkv", LOSSLESS), ("avi", LOSSLESS), ("ts", BROADCAST)]
)
async def test_where_none_is_marked_it_is_the_first(
    tmp_path: Path, extension: str, options: str
) -> None:
    file = film(tmp_path / f"film.{extension}", "--", options)
    assert await track_heard(file) == 1
    assert await track_heard(file, 2) == 2


async def test_a_client_chooses_by_number(tmp_path: Path) -> None:
    file = film(tmp_path / "film.mkv", "-D-")
    assert [await track_heard(file, number) for number in (1, 2, 3)] == [1, 2, 3]
    with pytest.raises(InvalidRequest, match="cannot be 4: there are 3 audio tracks") as refusal:
        await read(file, Wanted(audio_track=4))
    assert refusal.value.param == "audio_track"


async def test_subtitles_and_attachments_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "lines.srt").write_text("1\n00:00:00,000 --> 00:00:01,000\nHello\n")
    (tmp_path / "font").write_text("a font")
    file = film(tmp_path / "spoken.mkv", "--")
    make(
        *("-i", str(tmp_path / "lines.srt"), "-i", str(file), "-map", "0:s", "-map", "1"),
        *("-c", "copy", "-attach", str(tmp_path / "font"), "-metadata:s:t", "mimetype=font/ttf"),
        str(tmp_path / "film.mkv"),
    )
    assert [await track_heard(tmp_path / "film.mkv", n) for n in (None, 1, 2)] == [1, 1, 2]


async def test_titles_that_look_like_tracks_are_none_however_long(tmp_path: Path) -> None:
    lies = "\n  Stream #0:9: Audio: lies (default)" * 2000  # 70 kB, before the true lines
    chapters = "".join(
        f"[CHAPTER]\nSTART={n}\nEND={n + 1}\ntitle=Stream #0:8: Audio: lies\n" for n in range(500)
    )
    (tmp_path / "chapters").write_text(f";FFMETADATA1\n{chapters}")
    plain = film(tmp_path / "plain.mkv", "-D")
    make(
        *("-i", str(plain), "-i", str(tmp_path / "chapters"), "-map", "0", "-map_chapters", "1"),
        *("-c", "copy", "-metadata", f"title={lies}", str(tmp_path / "film.mkv")),
    )
    assert await track_heard(tmp_path / "film.mkv") == 2


def test_a_stream_of_two_programs_is_one_track_and_order_is_that_of_the_file() -> None:
    """As ffmpeg tells of broadcasts: program by program, and then what is in none."""
    account = Account()
    for part in (
        b"Input #0, mpegts, from 'file:a':\n  Program 1 \n  Stream #0:3[0x103]: Audio: mp2, ster",
        b"eo\n  Stream #0:1[0x101](eng): Audio: ac3, 5.1\n  Program 2 \n  Stream #0:3[0x103]: Au",
        b"dio: mp2, stereo\n",
    ):
        account.hear(part)
    assert account.opened
    assert [track.stream for track in account.in_order()] == [1, 3]


@pytest.mark.parametrize(("extension", "options"), [("mp4", AAC), ("mkv", LOSSLESS)])
async def test_a_film_without_sound_says_so(tmp_path: Path, extension: str, options: str) -> None:
    file = film(tmp_path / f"film.{extension}", "", options)
    for number in (None, 1):
        with pytest.raises(UnreadableAudio) as refusal:
            await read(file, Wanted(audio_track=number))
        assert refusal.value.message == "failed to decode audio: the file has no audio track"


async def test_bare_samples_are_one_track(tmp_path: Path) -> None:
    file = tmp_path / "said"
    file.write_bytes(bytes(2 * SAMPLE_RATE))
    assert (await read(file, Wanted(raw=True, audio_track=1))).duration_s == 1.0
    with pytest.raises(InvalidRequest, match="cannot be 2: there is one audio track"):
        await read(file, Wanted(raw=True, audio_track=2))


@pytest.mark.parametrize("raw", [False, True])
async def test_the_first_seconds_are_enough_of_a_file_of_any_length(
    tmp_path: Path, raw: bool
) -> None:
    file = film(tmp_path / "film.mkv", "D")
    if raw:
        file.write_bytes(bytes(2 * 2 * SAMPLE_RATE))

    async def length_s(first_s: float | None, seconds_max: float) -> float:
        return (await read(file, Wanted(raw=raw, first_s=first_s), seconds_max)).duration_s

    assert await length_s(0.5, 10.0) == 0.5
    assert await length_s(0.5, 1.0) == 0.5
    assert await length_s(1.5, 1.0) == 1.0
    assert await length_s(30.0, 10.0) == 2.0
    with pytest.raises(TooLarge):
        await length_s(None, 1.0)
