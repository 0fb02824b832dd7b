"""Files that ask their reader to open another file or a connection: playlists, indices, pictures.

Each is written around two canaries: a path that nobody may open, and an address that nobody may
connect to.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Canaries:
    """What must not be touched: a file, and a server at ``host``, a name and a port."""

    file: Path
    host: str

    @property
    def targets(self) -> tuple[str, ...]:
        """Each of them in the ways that ffmpeg knows."""
        file = str(self.file)
        return (
            *(file, f"file:{file}", f"file://{file}", f"subfile,,start,0,end,99,,:{file}"),
            *(f"concat:{file}|{file}", f"crypto:{file}", f"async:{file}", f"cache:{file}"),
            *(f"http://{self.host}/a.ts", f"tcp://{self.host}", f"rtmp://{self.host}/a/b"),
            *(f"rtsp://{self.host}/a", f"ftp://{self.host}/a", f"gopher://{self.host}/a"),
        )

    def lures(self) -> Iterator[tuple[str, bytes]]:
        """Every kind of file around every way, and each once more as something else."""
        for target in self.targets:
            for kind, content in _texts(target):
                yield f"{kind}: {target}", content.encode()
                yield (
                    f"{kind} behind a tag: {target}",
                    b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + content.encode(),
                )
                yield f"{kind} in a WAV: {target}", b"RIFF\xff\0\0\0WAVE" + content.encode()
            yield f"MOV elsewhere, url: {target}", movie(b"url ", target.encode() + b"\0")
        yield "MOV elsewhere, alias", movie(b"alis", alias(self.file))
        yield "MOV elsewhere, urn", movie(b"urn ", b"urn\0" + str(self.file).encode() + b"\0")
        yield "DASH in WebM", b"\x1aE\xdf\xa3\x84webm" + _dash(str(self.file)).encode()
        for number, name in enumerate(("png", "gif", "jpeg", "bmp", "webp")):
            yield f"a picture: {name}", PICTURES[number] + bytes(200)


PICTURES = (
    b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\2\0\0\0",
    b"GIF89a\xff\xff\xff\xff\xf7\0\0",
    b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1",
    b"BM\xff\xff\xff\x7f\0\0\0\0\x36\0\0\0\x28\0\0\0\xff\xff\xff\x7f\xff\xff\xff\x7f\1\0\x20\0",
    b"RIFF\xff\xff\0\0WEBPVP8 ",
)


def _texts(target: str) -> Iterator[tuple[str, str]]:
    yield "m3u8", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{target}\n#EXT-X-ENDLIST\n"
    key = f'#EXT-X-KEY:METHOD=AES-128,URI="{target}"'
    yield "m3u8 with a key", f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{key}\n#EXTINF:1,\n{target}\n"
    yield "m3u8 of lists", f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{target}\n"
    yield "concat script", f"ffconcat version 1.0\nfile '{target}'\n"
    yield "XSPF", f"<playlist version='1'><track><location>{target}</location></track></playlist>"
    yield "PLS", f"[playlist]\nNumberOfEntries=1\nFile1={target}\n"
    yield "ASX", f'<asx version="3.0"><entry><ref href="{target}"/></entry></asx>'
    yield "SMIL", f'<smil><body><audio src="{target}"/></body></smil>'
    yield "DASH", _dash(target)
    yield "IMF", IMF.format(target)
    yield "SVG", f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{target}"/></svg>'
    yield (
        "XML entity",
        f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "{target}">]><MPD>&b;</MPD>',
    )
    line = "Dialogue: 0,0:00:00.00,0:00:01.00,,,,,,,x"
    yield "ASS", f"[Script Info]\nAudio File: {target}\n[Events]\n{line}\n"
    yield "SRT", f"1\n00:00:00,000 --> 00:00:09,000\n{target}\n"
    yield "idx", f"# VobSub index file, v7\nid: en, index: 0\n{target}\n"
    session = "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n"
    yield "SDP", f"{session}a=control:{target}\n"
    yield "RAM", f"{target}\n"
    yield "RTSP text", f"[Reference]\nRef1={target}\n"
    yield "ffmetadata", f";FFMETADATA1\ntitle={target}\n"
    yield "avisynth", f'DirectShowSource("{target}")\n'


def _dash(target: str) -> str:
    return (
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-on-demand:2011">'
        '<Period duration="PT1S"><AdaptationSet mimeType="audio/mp4" contentType="audio">'
        '<Representation id="0" bandwidth="1000" codecs="mp4a.40.2">'
        f"<BaseURL>{target}</BaseURL></Representation></AdaptationSet></Period></MPD>"
    )


IMF = (
    '<?xml version="1.0"?><CompositionPlaylist xmlns="http://www.smpte-ra.org/schemas/2067-3/2016">'
    "<Id>urn:uuid:00000000-0000-0000-0000-000000000000</Id><Path>{}</Path></CompositionPlaylist>"
)


def box(kind: bytes, *inside: bytes) -> bytes:
    """An atom of a MOV."""
    content = b"".join(inside)
    return struct.pack(">I4s", 8 + len(content), kind) + content


def movie(kind: bytes, reference: bytes) -> bytes:
    """A MOV of a second of sound, whose samples are in another file: told by a data reference."""
    entry = box(kind, bytes(4), reference)  # flags 0: not in this file
    sound = struct.pack(">6xH8xHHHHI", 1, 1, 16, 0, 0, 16_000 << 16)
    table = box(
        b"stbl",
        box(b"stsd", struct.pack(">II", 0, 1), box(b"sowt", sound)),
        box(b"stts", struct.pack(">IIII", 0, 1, 16_000, 1)),
        box(b"stsc", struct.pack(">IIIII", 0, 1, 1, 16_000, 1)),
        box(b"stsz", struct.pack(">III", 0, 2, 16_000)),
        box(b"stco", struct.pack(">III", 0, 1, 0)),
    )
    here = box(b"dinf", box(b"dref", struct.pack(">II", 0, 1), entry))
    media = box(
        b"mdia",
        box(b"mdhd", struct.pack(">IIIIIHH", 0, 0, 0, 16_000, 16_000, 0, 0)),
        box(b"hdlr", struct.pack(">I4s4s12x", 0, b"mhlr", b"soun"), b"\0"),
        box(b"minf", box(b"smhd", bytes(8)), here, table),
    )
    track = box(b"trak", box(b"tkhd", struct.pack(">IIIIII60x", 7, 0, 0, 1, 0, 1000)), media)
    head = box(b"mvhd", struct.pack(">IIIII80x", 0, 0, 0, 1000, 1000))
    return box(b"ftyp", b"qt  ", bytes(4), b"qt  ") + box(b"moov", head, track)


def alias(file: Path) -> bytes:
    """What a Macintosh called an alias: a file's name, and its path."""
    name, path = file.name.encode()[:63], str(file).encode()
    record = struct.pack(">10xB27s12xB63s16xHH16x", 1, b"v", len(name), name, 1, 1)
    return record + struct.pack(">HH", 2, len(path)) + path + bytes(len(path) % 2) + b"\xff\xff\0\0"
