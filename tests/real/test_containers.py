"""One recording in every container and codec that people send: the same words each time.

Each file is made by ffmpeg, loses its extension, and is read by our own decoder; what it reads is
heard by one house, every distinct sound once.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import jiwer
import pytest
import trio

from asr.actors.ffmpeg import decode, find_ffmpeg
from asr.actors.tools import Tools
from asr.pipeline.audio import Wanted
from asr.pipeline.types import Options
from asr.pipeline.vad import SpeechFinder
from tests.real import sounds
from tests.real.house import open_real_house

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from asr.actors.house import House
    from asr.pipeline.audio import Audio
    from asr.pipeline.models import ModelStore

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]  # a busy machine takes its time


def picture(seconds: float) -> tuple[str, ...]:
    """Options for a second input, and both of them in the output."""
    made = f"color=size=64x64:rate=5:duration={seconds}"
    return ("-f", "lavfi", "-i", made, "-map", "0:a", "-map", "1:v")


COVER = (*picture(0.2), "-c:v", "mjpeg", "-disposition:v", "attached_pic")
FILM = (*picture(11.0), "-c:v", "mpeg4")
BROADCAST = (*picture(11.0), "-c:v", "mpeg2video", "-r", "25")


@dataclass(frozen=True, slots=True)
class Form:
    """A form of the recording: the extension that ffmpeg knows it by, and the options for it."""

    extension: str
    options: str = ""
    beside: tuple[str, ...] = ()  # what else is in the file
    raw: bool = False
    changed_max: int = 0  # words that the codec really costs

    def make(self, file: Path) -> Path:
        """The recording in this form, under a name that tells nothing of it."""
        target = file.with_suffix(f".{self.extension}")
        sounds.as_file(sounds.JFK, target, *self.beside, *self.options.split())
        return target.rename(file)


def channel(layout: str, name: str) -> str:
    """Options that put the speech into one channel of a layout, and nothing into the others."""
    return f"-af pan={layout}|{name}=c0"


# Above 4 kHz there is little but the hiss of an s: without it, Americans may be one American.
NARROW = 2

FORMS = {
    **{
        f"wav {codec}": Form("wav", f"-c:a {codec}")
        for codec in (
            *("pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"),
            *("pcm_alaw", "pcm_mulaw", "adpcm_ms", "adpcm_ima_wav"),
        )
    },
    "wav pcm_u8": Form("wav", "-c:a pcm_u8", changed_max=1),  # its noise, too, hides an s
    "raw samples": Form("raw", "-f s16le", raw=True),
    "mp3 of a constant rate": Form("mp3", "-b:a 64k"),
    "mp3 of a variable rate": Form("mp3", "-q:a 4"),
    "mp3 with tags and a cover": Form(
        "mp3", "-metadata title=Inaugural -metadata artist=Kennedy -id3v2_version 3", COVER
    ),
    "mp3 without a header": Form("mp3", "-write_xing 0 -id3v2_version 0"),
    "m4a aac": Form("m4a", "-c:a aac"),
    "m4a aac with a cover": Form("m4a", "-c:a aac", COVER),
    "m4a alac": Form("m4a", "-c:a alac"),
    "aac adts": Form("aac"),
    "flac": Form("flac"),
    "flac with a cover": Form("flac", "", COVER),
    "ogg vorbis": Form("ogg", "-c:a libvorbis"),
    "ogg opus": Form("ogg", "-c:a libopus"),
    "ogg flac": Form("oga", "-c:a flac"),
    "opus": Form("opus"),
    "wma 1": Form("wma", "-c:a wmav1"),
    "wma 2": Form("wma", "-c:a wmav2"),
    "amr": Form("amr", "-ar 8000", changed_max=NARROW),
    "3gp amr": Form("3gp", "-ar 8000 -c:a libopencore_amrnb", changed_max=NARROW),
    "3gp amr film": Form("3gp", "-ar 8000 -c:a libopencore_amrnb", FILM, changed_max=NARROW),
    "mp4": Form("mp4", "-c:a aac", FILM),
    "mp4 in fragments": Form("mp4", "-c:a aac -movflags frag_keyframe+empty_moov", FILM),
    "mp4 with its index first": Form("mp4", "-c:a aac -movflags faststart", FILM),
    "mov": Form("mov", "-c:a pcm_s16le", FILM),
    "mkv": Form("mkv", "-c:a ac3", FILM),
    "mkv flac": Form("mkv", "-c:a flac", FILM),
    "avi": Form("avi", "-c:a mp3", FILM),
    "webm": Form("webm", "-c:v vp8 -c:a libopus", FILM),
    "webm without a picture": Form("webm", "-c:a libopus"),
    "webm live": Form("webm", "-c:a libopus -live 1 -dash 0"),
    "mpeg-ts": Form("ts", "-c:a aac", BROADCAST),
    "mpeg-ts mp2": Form("ts", "-c:a mp2"),
    "mpeg": Form("mpg", "-c:a mp2", BROADCAST),
    "flv": Form("flv", "-c:v flv1 -c:a aac", FILM),
    "dts": Form("dts", "-strict -2 -ar 48000 -ac 2"),
    "eac3": Form("eac3", "-ar 48000"),
    "wavpack": Form("wv"),
    "true audio": Form("tta"),
    "aiff": Form("aiff"),
    "au": Form("au"),
    "au mu-law": Form("au", "-c:a pcm_mulaw -ar 8000", changed_max=NARROW),
    "caf": Form("caf"),
    "w64": Form("w64"),
    "nut": Form("nut", "-c:a pcm_s16le"),
    "8000 Hz": Form("flac", "-ar 8000", changed_max=NARROW),
    **{
        f"{rate} Hz": Form("flac", f"-ar {rate}")
        for rate in (11025, 22050, 44100, 48000, 96000, 192000)
    },
    **{
        f"{layout} everywhere": Form("wav", f"-af pan={layout}|{mix}")
        for layout, mix in (
            ("stereo", "c0=c0|c1=c0"),
            ("7.1", "|".join(f"c{n}=c0" for n in range(8))),
        )
    },
    "stereo, left only": Form("wav", channel("stereo", "FL")),
    "stereo, right only": Form("m4a", channel("stereo", "FR")),
    "5.1, centre only": Form("flac", channel("5.1", "FC")),
    "5.1, centre only, ac3": Form("ac3", channel("5.1", "FC") + " -ar 48000"),
    "7.1, side only": Form("wav", channel("7.1", "SR") + " -ar 48000"),
    "7.1, 192 kHz": Form("wav", channel("7.1", "FL") + " -ar 192000 -c:a pcm_s24le"),
}


@dataclass(frozen=True, slots=True)
class Heard:
    duration_s: float
    text: str


@dataclass(slots=True)
class Hearing:
    """Reads files, and hears each distinct sound once: what is lossless costs no time."""

    house: House
    texts: dict[bytes, str] = field(default_factory=dict)  # by the samples
    # Enough that a batch is always full, and less than the queue has places for.
    places: trio.CapacityLimiter = field(default_factory=partial(trio.CapacityLimiter, 16))

    async def hear_all(self, audios: Mapping[str, Audio]) -> None:
        distinct = {audio.path.read_bytes(): name for name, audio in audios.items()}
        async with trio.open_nursery() as nursery:
            for sound, name in distinct.items():
                nursery.start_soon(self.hear, sound, audios[name], FORMS[name])

    async def hear(self, sound: bytes, audio: Audio, form: Form) -> None:
        """What has lost something is heard by the larger model, which guesses it."""
        async with self.places:
            options = Options(model="base" if form.changed_max else "tiny.en", language="en")
            self.texts[sound] = (await self.house.transcribe(audio.path, options, raw=True)).text


async def read(file: Path, *, raw: bool) -> Audio:
    target = file.with_suffix(".pcm")
    return await decode(file, target, Wanted(raw=raw), ffmpeg=find_ffmpeg(), seconds_max=60.0)


@pytest.fixture(scope="module")
def heard(store: ModelStore, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Heard]:
    """What each form sounds like to us."""
    folder, spool = tmp_path_factory.mktemp("forms"), tmp_path_factory.mktemp("spool")
    files = {
        name: form.make(folder / f"{number}.bin")
        for number, (name, form) in enumerate(FORMS.items())
    }

    async def work() -> dict[str, Heard]:
        audios = {name: await read(file, raw=FORMS[name].raw) for name, file in files.items()}
        async with open_real_house(store, tools=Tools(SpeechFinder), spool=spool) as house:
            hearing = Hearing(house)
            await hearing.hear_all(audios)
        return {
            name: Heard(audio.duration_s, hearing.texts[audio.path.read_bytes()])
            for name, audio in audios.items()
        }

    return trio.run(work)


@pytest.mark.parametrize("name", FORMS)
def test_every_form_has_the_same_words_and_length(heard: Mapping[str, Heard], name: str) -> None:
    assert heard[name].duration_s == pytest.approx(11.0, abs=0.15)
    assert words_changed(heard[name].text) <= FORMS[name].changed_max, heard[name].text


def words_changed(said: str) -> int:
    """How many words of the recording are missing or others, or too many."""
    spoken = sounds.JFK.with_suffix(".txt").read_text(encoding="utf-8")
    compared = jiwer.process_words(words(spoken), words(said))
    return compared.substitutions + compared.deletions + compared.insertions


def words(text: str) -> str:
    return " ".join(re.findall(r"[a-z']+", text.lower()))
