"""From a file of any kind to samples on disk, and from there to arrays.

The decoded samples stay in a file: 16 kHz, mono, signed 16 bit. What reads them maps only the part
it needs, so an hour of audio costs no memory. This room starts no process: it only says which.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
SAMPLE_BYTES = 2

# Containers and streams that hold sound. Playlists, concat scripts, image and subtitle formats are
# left out on purpose: they make ffmpeg open other files.
DEMUXERS = (
    "aac,ac3,adts,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dts,eac3,flac,flv,gsm,ivf,"
    "matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,mpegts,mpegvideo,nut,oga,ogg,opus,"
    "rm,tak,tta,voc,w64,wav,wv,xwma"
)


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


def ffmpeg_argv(
    ffmpeg: str, source: Path, target: Path, *, seconds_max: float, raw: bool = False
) -> list[str]:
    """The command that decodes ``source`` into ``target``, at most ``seconds_max`` of it.

    ``raw`` says that the source is 16 kHz mono s16le already, without a container. Only plain files
    of known containers are opened; the first audio track is taken, mixed down to mono.
    """
    format_in = ["-f", "s16le", "-ar", str(SAMPLE_RATE), "-ac", "1"] if raw else []
    allowed = [] if raw else ["-format_whitelist", DEMUXERS]
    return [
        *(ffmpeg, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "error", "-y"),
        *("-protocol_whitelist", "file", *allowed, *format_in),
        *("-i", f"file:{source}"),
        *("-map", "0:a:0", "-vn", "-sn", "-dn", "-t", str(seconds_max)),
        *("-ac", "1", "-ar", str(SAMPLE_RATE), "-f", "s16le", f"file:{target}"),
    ]
