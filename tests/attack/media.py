"""Media of every container that we read, made by ffmpeg, and ways to damage them: all seeded."""

from __future__ import annotations

import struct
from types import MappingProxyType
from typing import TYPE_CHECKING

from tests.real import sounds

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping
    from pathlib import Path

FILM = "-f lavfi -i color=size=64x64:rate=5:duration=1 -map 0:a -map 1:v -t 1"

# Options for ffmpeg, by the extension that it knows the container by; a number makes it unique.
CONTAINERS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(("wav", "mp3", "flac", "opus", "m4a", "aiff", "caf", "w64", "au"), ""),
        **dict.fromkeys(("aac", "ac3", "eac3", "wv", "tta", "wma"), ""),
        **dict.fromkeys(["mkv.2", "webm.2", "mp2", "voc"], ""),
        "ogg": "-c:a libvorbis",
        "mp4": f"{FILM} -c:v mpeg4 -c:a aac",
        "mp4.fragments": f"{FILM} -c:v mpeg4 -c:a aac -movflags frag_keyframe+empty_moov",
        "mov": f"{FILM} -c:v mpeg4 -c:a pcm_s16le",
        "mkv": f"{FILM} -c:v mpeg4 -c:a flac",
        "webm": f"{FILM} -c:v vp8 -c:a libopus",
        "avi": f"{FILM} -c:v mpeg4 -c:a mp3",
        "flv": f"{FILM} -c:v flv1 -c:a aac",
        "ts": f"{FILM} -c:v mpeg2video -r 25 -c:a aac",
        "mpg": f"{FILM} -c:v mpeg2video -r 25 -c:a mp2",
        "nut": "-c:a pcm_s16le",
        "amr": "-ar 8000",
        "3gp": f"{FILM} -c:v mpeg4 -ar 8000 -c:a libopencore_amrnb",
        "dts": "-strict -2 -ar 48000 -ac 2",
        "m4a.alac": "-c:a alac",
        "rm": "-c:a ac3",
        "wav.adpcm": "-c:a adpcm_ms",
        "wav.f64": "-c:a pcm_f64le",
    }
)


def make_all(folder: Path) -> dict[str, bytes]:
    """A second of speech in every container, by the names above."""
    made = {}
    for number, (name, options) in enumerate(CONTAINERS.items()):
        file = folder / f"{number}.{name.partition('.')[0]}"
        sounds.as_file(sounds.JFK, file, *options.split(), "-t", "1")
        made[name] = file.read_bytes()
    return made


def damaged(name: str, media: Mapping[str, bytes], chance: random.Random) -> tuple[str, bytes]:
    """A container with one to three damages, and what they are."""
    data, told = bytearray(media[name]), [name]
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        damage = chance.choice(DAMAGES)
        damage(data, chance)
        told.append(damage.__name__.strip("_"))
    if chance.random() < 0.1:
        other = chance.choice(sorted(media))
        data += media[other][chance.randrange(len(media[other])) :]
        told.append(f"and the end of {other}")
    return " ".join(told), bytes(data)


def _cut(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(len(data) + 1) :]


def _cut_in_its_head(data: bytearray, chance: random.Random) -> None:
    del data[chance.randrange(min(len(data), 600) + 1) :]


def _flip_bits(data: bytearray, chance: random.Random) -> None:
    _flip(data, len(data), chance.choice((1, 10, 100, 1000)), chance)


def _flip_bits_of_its_head(data: bytearray, chance: random.Random) -> None:
    _flip(data, min(len(data), 400), chance.choice((1, 3, 10)), chance)


def _flip(data: bytearray, size: int, times: int, chance: random.Random) -> None:
    for _ in range(times if size else 0):
        data[chance.randrange(size)] ^= 1 << chance.randrange(8)


def _set_a_field_to_an_extreme(data: bytearray, chance: random.Random) -> None:
    """A number of any width, at any place of the head or, in a film, of the index at the end."""
    width = chance.choice((1, 2, 4, 8))
    value = chance.choice(EXTREMES).to_bytes(8, "little")[:width]
    span = min(len(data), 1000)
    at = (
        chance.randrange(span + 1)
        if chance.random() < 0.8
        else len(data) - chance.randrange(span + 1)
    )
    data[at : at + width] = value if chance.random() < 0.5 else value[::-1]


def _repeat_a_piece(data: bytearray, chance: random.Random) -> None:
    begin, end = _piece(data, chance)
    data[end:end] = data[begin:end] * chance.choice((1, 2, 50))


def _lose_a_piece(data: bytearray, chance: random.Random) -> None:
    begin, end = _piece(data, chance)
    del data[begin:end]


def _fill_a_piece(data: bytearray, chance: random.Random) -> None:
    begin, end = _piece(data, chance)
    data[begin:end] = bytes([chance.choice((0, 0xFF, 0x80, 0x0A))]) * (end - begin)


def _stand_behind_a_tag(data: bytearray, chance: random.Random) -> None:
    """An ID3 tag, of a length that is true or not."""
    junk = chance.randbytes(chance.choice((0, 10, 3000)))
    told = chance.choice((len(junk), 0, 0x0FFFFFFF))
    size = bytes(told >> shift & 0x7F for shift in (21, 14, 7, 0))
    data[:0] = b"ID3\x04\0\0" + size + junk


def _piece(data: bytearray, chance: random.Random) -> tuple[int, int]:
    begin = chance.randrange(len(data) + 1)
    return begin, min(len(data), begin + chance.choice((1, 4, 16, 188, 4000)))


# The ends of numbers of each width, with a sign and without.
EXTREMES = (
    0,
    1,
    *(1 << bits - 1 for bits in (8, 16, 32, 64)),
    *(most for bits in (8, 16, 32, 64) for most in ((1 << bits) - 1, (1 << bits - 1) - 1)),
)

DAMAGES: tuple[Callable[[bytearray, random.Random], None], ...] = (
    _cut,
    _cut_in_its_head,
    _flip_bits,
    _flip_bits_of_its_head,
    _set_a_field_to_an_extreme,
    _set_a_field_to_an_extreme,
    _repeat_a_piece,
    _lose_a_piece,
    _fill_a_piece,
    _stand_behind_a_tag,
)


def wav(
    data: bytes = b"",
    *,
    kind: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    align: int | None = None,
    declared: int | None = None,
) -> bytes:
    """A WAV whose header says anything; ``kind`` 1 is whole numbers, 3 floating ones."""
    step = channels * bits // 8 if align is None else align
    size = len(data) if declared is None else declared
    speed = rate * step & 0xFFFFFFFF
    form = struct.pack("<HHIIHH", kind, channels, rate, speed, step & 0xFFFF, bits)
    riff = struct.pack("<4sI4s", b"RIFF", min(36 + size, 0xFFFFFFFF), b"WAVE")
    return riff + b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", size) + data


SECOND = bytes(32_000)
DAY_BYTES = 24 * 3600 * 32_000
NOT_NUMBERS = struct.pack("<6f", float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-45)
NOT_DOUBLES = struct.pack("<3d", float("nan"), float("inf"), 1e308)

# Files that no damage makes, each by what is odd about it.
ODD_WAVS: Mapping[str, bytes] = MappingProxyType(
    {
        "no sample": wav(),
        "one sample": wav(b"\1\0"),
        "half a sample": wav(b"\1"),
        "one sample at 192 kHz": wav(b"\1\0", rate=192_000),
        "no number": wav(NOT_NUMBERS * 4000, kind=3, bits=32),
        "no double": wav(NOT_DOUBLES * 4000, kind=3, bits=64),
        "floats of 16 bits": wav(SECOND, kind=3),
        "24 hours declared, a second there": wav(SECOND, declared=DAY_BYTES),
        "the largest size declared": wav(SECOND, declared=0xFFFFFFFF),
        "nothing declared": wav(SECOND, declared=0),
        **{
            f"{rate} Hz": wav(SECOND, rate=rate) for rate in (0, 1, 7, 768_000, 0xFFFFFFFF, 1 << 31)
        },
        **{f"{count} channels": wav(SECOND, channels=count) for count in (0, 2, 64, 255, 65535)},
        **{f"{bits} bits": wav(SECOND, bits=bits) for bits in (0, 1, 7, 12, 24, 64, 65535)},
        **{f"{bits} bits, aligned to nothing": wav(SECOND, bits=bits, align=0) for bits in (8, 16)},
        **{
            f"codec {kind:#x}": wav(SECOND, kind=kind)
            for kind in (0, 2, 17, 85, 255, 0xFFFE, 0xFFFF)
        },
        "a second at 1 Hz of each byte": wav(bytes(36_000), rate=1, bits=8),
        "no data": wav()[:36],
        "no format": b"RIFF\xff\0\0\0WAVEdata\xff\0\0\0" + SECOND,
        "lists in lists": b"RIFF\xff\xff\0\0WAVE"
        + b"LIST\xff\xff\0\0INFO" * 5000
        + wav(SECOND)[12:],
        "two heads": wav(wav(SECOND)),
        "RF64": b"RF64\xff\xff\xff\xffWAVEds64" + b"\x1c\0\0\0" + b"\xff" * 28 + wav(SECOND)[12:],
        "a line of nothing": b"\n" * 5000,
        "one byte": b"R",
        "zeros": bytes(50_000),
        "a head of each": b"RIFF" + b"OggS" + b"fLaC" + b"ID3\4" + b"\x1aE\xdf\xa3" + b"FORM" * 100,
    }
)


def with_a_forged_track(flac: bytes, digits: int) -> bytes:
    """A FLAC with a tag whose name looks like what ffmpeg says of a track of that many digits."""
    name = b"x\n  Stream #0:" + b"9" * digits + b": Audio: aac (default)\ny=z"
    tags = struct.pack("<II", 0, 1) + struct.pack("<I", len(name)) + name
    head, rest = flac[:42], flac[42:]  # the mark and the first block, which is never the last
    return head + b"\4" + len(tags).to_bytes(3, "big") + tags + rest
