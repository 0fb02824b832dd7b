"""Which track of a film is read, by what ffmpeg says of it."""

from __future__ import annotations

import pytest

from asr.pipeline.audio import Track, choose, track_of
from asr.pipeline.errors import InvalidRequest


@pytest.mark.parametrize(
    ("line", "track"),
    [
        (  # version 4
            "    Stream #0:2(und): Audio: aac (LC) (mp4a / 0x6134706D), 16000 Hz, mono (default)",
            Track(2, default=True, known=True),
        ),
        (  # version 9
            "  Stream #0:1[0x2](ger): Audio: aac (LC) (mp4a / 0x6134706D), 16000 Hz, mono, fltp",
            Track(1, default=False, known=True),
        ),
        ("  Stream #0:0: Audio: flac, 16000 Hz, mono, s16", Track(0, default=False, known=True)),
        (
            "  Stream #0:11: Audio: ac3, 48000 Hz, stereo (default) (comment)",
            Track(11, default=True, known=True),
        ),
        (
            "  Stream #0:3[0x4](und): Audio: none (apac / 0x63617061), 48000 Hz, 4 channels",
            Track(3, default=False, known=False),
        ),
        ("  Stream #0:0(und): Video: h264 (High), 25 fps (default)", None),
        ("  Stream #0:0(und): Video: h264, with: Audio commentary", None),
        ("  Stream #0:4(eng): Subtitle: subrip (srt) (default)", None),
        ("  Stream #0:5(eng): Data: bin_data (text / 0x74786574)", None),
        ("    title           : Stream #0:7: Audio: fake (default)", None),
        ("                    :   Stream #0:7: Audio: fake (default)", None),
        ("Input #0, matroska,webm, from 'file:Stream #0:1: Audio: a':", None),
        # A tag's name may hold line ends, so that these are written by whoever made the file.
        (f"  Stream #0:{'9' * 5000}: Audio: aac (default)", None),
        ("  Stream #0:\uff11: Audio: aac (default)", None),
        ("", None),
    ],
)
def test_ffmpegs_lines_tell_of_audio_tracks(line: str, track: Track | None) -> None:
    assert track_of(line) == track


def tracks(flags: str) -> list[Track]:
    """Tracks of the streams 1, 2, …: D is a default one, d one too, of a codec nobody knows."""
    return [
        Track(stream, default=flag in "Dd", known=flag in "D-")
        for stream, flag in enumerate(flags, start=1)
    ]


@pytest.mark.parametrize(
    ("flags", "number", "stream"),
    [
        ("--", None, 1),  # nobody says which: the first
        ("-D", None, 2),
        ("DD", None, 1),  # both say so: the first
        ("-DD", None, 2),
        ("d-", None, 2),  # what cannot be decoded is no choice of ours
        ("?-D", None, 3),
        ("dx", None, 1),  # but better than nothing
        ("xx", None, 1),
        ("-D-", 1, 1),
        ("-D-", 2, 2),
        ("-D-", 3, 3),
        ("x-", 1, 1),  # asked for by number, it is that one
    ],
)
def test_the_first_default_track_is_taken_or_the_one_asked_for(
    flags: str, number: int | None, stream: int
) -> None:
    assert choose(tracks(flags), number).stream == stream


@pytest.mark.parametrize("number", [-1, 0, 4])
def test_a_track_that_is_not_there_is_refused(number: int) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        choose(tracks("-D-"), number)
    message = f"audio_track cannot be {number}: there are 3 audio tracks"
    assert (refusal.value.message, refusal.value.param) == (message, "audio_track")
