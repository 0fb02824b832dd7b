"""From a file of any kind to samples on disk, and from there to arrays.

The decoded samples stay in a file: 16 kHz, mono, signed 16 bit. What reads them maps only the part
it needs, so an hour of audio costs no memory. This room starts no process: it only says which.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr.pipeline.errors import InvalidRequest

SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2

# Containers and streams that hold sound. Playlists, concat scripts, image and subtitle formats are
# left out on purpose: they make ffmpeg open other files.
DEMUXERS = (
    "aac,ac3,adts,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,ivf,"
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,mpegvideo,nut,oga,ogg,opus,"
    "rm,tak,tta,voc,w64,wav,wv,xwma"
)

# A line of what ffmpeg prints of its input; versions differ in how far it stands to the right.
STREAM = re.compile(
    r" {2,8}Stream #0:(?P<stream>\d{1,6})(?:\D.*?)?: Audio: (?P<codec>\w+)", re.ASCII
)

# The largest piece of memory that ffmpeg asks for at once. An index of ten hours has a tenth of it.
ALLOC_BYTES_MAX = 512 << 20

# Pictures are not decoded but for a look at what they are: those of an 8K film are smaller.
PIXELS_MAX = 1 << 26


@dataclass(frozen=True, slots=True)
class Wanted:
    """How a file is to be read, and what of it.

    ``raw`` says that it is 16 kHz mono s16le already, without a container. ``audio_track`` counts
    its audio tracks from 1; None takes the first that is marked as a default one, else the first.
    ``first_s`` is enough of it, in seconds; None wants all.
    """

    raw: bool = False
    audio_track: int | None = None
    first_s: float | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """An audio track: its place among all streams of the file, from 0, and what is said of it."""

    stream: int
    default: bool
    known: bool  # whether ffmpeg knows its codec


@dataclass(frozen=True, slots=True)
class Audio:
    """Samples on disk: ``samples`` of them, 16 kHz mono s16le, at ``path``."""

    path: Path
    samples: int

    @property
    def duration_s(self) -> float:
        return self.samples / SAMPLE_RATE

    def read(self, start_s: float, end_s: float) -> NDArray[np.float32]:
        """The samples between two times as float32 in [-1, 1): shape (samples,).

        The mapping lives only as long as this call: pages that were read are given back.
        """
        start = max(0, round(start_s * SAMPLE_RATE))
        stop = min(self.samples, round(end_s * SAMPLE_RATE))
        if stop <= start:
            return np.zeros(0, np.float32)
        mapped = np.memmap(self.path, dtype="<i2", mode="r", shape=(self.samples,))
        return mapped[start:stop].astype(np.float32) / 32768.0


def open_samples(path: Path) -> Audio:
    """The audio in a file of 16 kHz mono s16le samples."""
    return Audio(path, path.stat().st_size // SAMPLE_BYTES)


def track_of(line: str) -> Track | None:
    """The audio track that a line of ffmpeg's account of a file is about, if it is about one."""
    found = STREAM.match(line)
    if found is None:
        return None
    return Track(int(found["stream"]), "(default)" in line, found["codec"] != "none")


def choose(tracks: Sequence[Track], number: int | None) -> Track:
    """The track that a client wants of a file that has at least one; see ``Wanted``.

    Tracks of a codec that ffmpeg does not know are taken only if nothing else is left, or by their
    number. Raises InvalidRequest.
    """
    if number is None:
        usable = [track for track in tracks if track.known] or tracks
        return next((track for track in usable if track.default), usable[0])
    if 1 <= number <= len(tracks):
        return tracks[number - 1]
    count = len(tracks)
    there = "is one audio track" if count == 1 else f"are {count} audio tracks"
    raise InvalidRequest(f"audio_track cannot be {number}: there {there}", param="audio_track")


def look_argv(ffmpeg: str, source: Path) -> list[str]:
    """The command that says on stderr which streams there are, and then fails: it has no output."""
    return [*_ffmpeg(ffmpeg, says="info"), *_opened(source)]


def ffmpeg_argv(
    ffmpeg: str,
    source: Path,
    target: Path,
    *,
    seconds_max: float,
    raw: bool = False,
    stream: str = "a:0",
) -> list[str]:
    """The command that decodes ``source`` into ``target``, at most ``seconds_max`` of it.

    ``raw`` says that the source is 16 kHz mono s16le already, without a container. One ``stream``
    is taken, named as ffmpeg names streams, and mixed down to mono. Samples are counted, as
    ``-t`` goes by the file's own timestamps: those may stand still for ever, or leap.
    """
    bounded = f"aresample={SAMPLE_RATE},atrim=end_sample={round(seconds_max * SAMPLE_RATE)}"
    return [
        *_ffmpeg(ffmpeg, says="error"),
        *("-filter_threads", "1"),
        *_opened(source, raw=raw),
        *("-map", f"0:{stream}", "-vn", "-sn", "-dn", "-af", bounded),
        *("-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", f"file:{target}"),
    ]


def _ffmpeg(ffmpeg: str, *, says: str) -> tuple[str, ...]:
    quiet = ("-nostdin", "-hide_banner", "-nostats", "-loglevel", says)
    return (ffmpeg, *quiet, "-max_alloc", str(ALLOC_BYTES_MAX), "-y")


def _opened(source: Path, *, raw: bool = False) -> tuple[str, ...]:
    """Only plain files of known containers are opened, or samples without one.

    One thread decodes: for sound more are no faster, and others have requests, too.
    """
    form = ("-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "1")
    allowed = form if raw else ("-format_whitelist", DEMUXERS, "-max_pixels", str(PIXELS_MAX))
    return ("-threads", "1", "-protocol_whitelist", "file", *allowed, "-i", f"file:{source}")
