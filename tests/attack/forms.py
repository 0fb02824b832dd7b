"""Requests with odd forms, as bytes: boundaries, headers, names, encodings, and what is no form."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from asr.http import parameters as known
from tests.attack.media import SECOND, wav

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from asr.http.parameters import Parameters

ASR, V1, DETECT = "/asr", "/v1/audio/transcriptions", "/detect-language"
AZURE = "/openai/deployments/whisper-1/audio/transcriptions"
TRANSLATIONS = "/v1/audio/translations"
ENDPOINTS: Mapping[str, Parameters] = MappingProxyType(
    {
        ASR: known.ASR,
        DETECT: known.DETECT,
        V1: known.TRANSCRIPTIONS,
        TRANSLATIONS: known.TRANSCRIPTIONS,
        AZURE: known.AZURE,
    }
)

BOUNDARY = b"=_b"
FORM = "multipart/form-data; boundary==_b"
URLENCODED = "application/x-www-form-urlencoded"
SOUND = wav(SECOND[:3200])
ANY_ANSWER = frozenset({200, 400, 413, 415, 422})
REFUSALS = ANY_ANSWER - {200}


@dataclass(frozen=True, slots=True)
class Request:
    """A POST as it goes over the wire; ``cut`` splits it into two writes, so many bytes in."""

    path: str
    body: bytes
    type: str | None = FORM
    headers: tuple[str, ...] = ()
    cut: int | None = None

    def pieces(self) -> tuple[bytes, ...]:
        kind = () if self.type is None else (f"Content-Type: {self.type}",)
        lines = (f"POST {self.path} HTTP/1.1", "Host: x", "Connection: close", *kind, *self.headers)
        length = f"Content-Length: {len(self.body)}"
        head = "\r\n".join((*lines, length, "", "")).encode("utf-8", "surrogateescape")
        if self.cut is None:
            return (head + self.body,)
        return (head + self.body[: self.cut], self.body[self.cut :])


def part(disposition: bytes, value: bytes, *headers: bytes) -> bytes:
    """A part of a form."""
    lines = (b"--" + BOUNDARY, b"Content-Disposition: " + disposition, *headers, b"", value)
    return b"\r\n".join(lines) + b"\r\n"


def field(name: str, value: bytes) -> bytes:
    quoted = name.encode("utf-8", "surrogateescape").replace(b'"', b"%22").replace(b"\n", b"%0A")
    return part(b'form-data; name="' + quoted.replace(b"\r", b"%0D") + b'"', value)


def file_field(path: str) -> str:
    return "audio_file" if path in (ASR, DETECT) else "file"


def file(path: str, data: bytes = SOUND, name: bytes = b"a.wav", *headers: bytes) -> bytes:
    """The part that holds the file."""
    place = file_field(path).encode()
    return part(b'form-data; name="' + place + b'"; filename="' + name + b'"', data, *headers)


END = b"--" + BOUNDARY + b"--\r\n"


def small(path: str = ASR) -> Request:
    """A decent form of 400 bytes: bare samples, and fields before and behind them."""
    fields = field("language", b"en") + field("task", b"transcribe")
    body = fields + file(path, b"\r\n--=_" * 4) + field("output", b"txt") + END
    return Request(f"{path}?encode=false", body)


NAMES: Mapping[str, bytes] = MappingProxyType(
    {
        "a path": b"../../../../etc/passwd",
        "an absolute path": b"/etc/passwd",
        "a Windows path": b"C:\\\\Windows\\\\a.wav",
        "NUL": b"a\0b.wav",
        "4 KiB": b"a" * 3900,
        "more than a header may have": b"a" * 5000,
        "emoji": "🎤🎧.wav".encode(),
        "quotes": b'a\\"b\\".wav',
        "a quote left open": b'a"b.wav',
        "CR and LF in percents": b"a%0D%0ASet-Cookie: a=b.wav",
        "a carriage return": b"a\rSet-Cookie: a=b",
        "no UTF-8": b"\xff\xfe\x80.wav",
        "nothing": b"",
        "a dot": b".",
        "options": b"-i /etc/passwd -f lavfi",
        "a pattern": b"%03d*.wav",
        "a protocol": b"concat:/etc/passwd|/etc/passwd",
        "right to left": "\u202egpj.wav".encode(),
    }
)


def odd_forms() -> Iterator[tuple[str, Request, frozenset[int]]]:
    """What is odd, the request, and what may be answered."""
    sound = file(ASR)
    ok, no = frozenset({200}), REFUSALS
    for name, said in NAMES.items():
        yield f"file name: {name}", Request(ASR, file(ASR, name=said) + END), ANY_ANSWER
    extended = b"form-data; name=audio_file; filename*=UTF-8''..%2F%00%F0%9F%8E%A4.wav"
    yield "RFC 2231", Request(ASR, part(extended, SOUND) + END), ok
    parts = b'form-data; name=audio_file; filename*0="a"; filename*1="b.wav"'
    yield "RFC 2231, continued", Request(ASR, part(parts, SOUND) + END), ANY_ANSWER
    for what, body, answers in (
        ("line feeds alone", (sound + END).replace(b"\r\n", b"\n"), no),
        ("no last boundary", sound, no),
        ("half a last boundary", sound + b"--=", no),
        ("nothing", b"", no),
        ("only the last boundary", END, no),
        ("boundary in the file", file(ASR, SOUND + b"\r\n--=_b") + END, ANY_ANSWER),
        ("nearly a boundary", file(ASR, SOUND + b"\r\n--=_c\r\n--=_\r\n-") + END, ok),
        ("preamble", b"This is a form.\r\n" + sound + END, ANY_ANSWER),
        ("line ends before it", b"\r\n" * 10_000 + sound + END, ANY_ANSWER),
        ("epilogue", sound + END + b"--=_b\r\nmore\r\n" * 1000, ok),
        ("a form within", part(b'form-data; name="x"', sound + END) + END, no),
        ("nested", part(b'form-data; name="x"', b"", b"Content-Type: multipart/mixed") + END, no),
        ("two files", sound + sound + END, no),
        ("a field twice", field("language", b"de") + field("language", b"en") + sound + END, ok),
        ("no name", part(b"form-data", b"x") + sound + END, ANY_ANSWER),
        ("an empty name", field("", b"x") + sound + END, ok),
        ("a name of 60 KB", part(b'form-data; name="' + b"n" * 60_000 + b'"', b"x") + END, no),
        ("a name of NULs", field("\0" * 50, b"x") + sound + END, ok),
        ("attachment", part(b'attachment; name="audio_file"', SOUND) + END, ANY_ANSWER),
        ("no disposition", b"--=_b\r\n\r\nx\r\n" + sound + END, ANY_ANSWER),
        ("two dispositions", file(ASR, SOUND, b"a", b"Content-Disposition: form-data") + END, no),
        ("base64", file(ASR, SOUND, b"a", b"Content-Transfer-Encoding: base64") + END, ANY_ANSWER),
        ("quoted", file(ASR, SOUND, b"a", b"Content-Transfer-Encoding: 8bit") + END, ok),
        (
            "EBCDIC",
            part(
                b"form-data; name=language", b"\x85\x95", b"Content-Type: text/plain; charset=cp037"
            )
            + sound
            + END,
            no,
        ),
        ("UTF-16", field("language", "en".encode("utf-16")) + sound + END, no),
        ("64 parts", field("n", b"x") * 63 + sound + END, ok),
        ("65 parts", field("n", b"x") * 64 + sound + END, no),
        ("5000 parts", field("n", b"x") * 5000 + sound + END, no),
        ("10,000 headers", file(ASR, SOUND, b"a", *[b"X: y"] * 10_000) + END, no),
        ("a header of 1 MB", file(ASR, SOUND, b"a", b"X: " + b"y" * 1_000_000) + END, no),
        ("a header's name of 1 MB", file(ASR, SOUND, b"a", b"X" * 1_000_000 + b": y") + END, no),
        ("a header without a colon", file(ASR, SOUND, b"a", b"X") + END, no),
        ("a folded header", file(ASR, SOUND, b"a", b"X: y\r\n z") + END, ANY_ANSWER),
        ("a disposition of semicolons", part(b"form-data" + b";" * 4000, b"x") + END, no),
        ("a disposition of quotes", part(b'form-data; name="' + b'\\"' * 1900, b"x") + END, no),
        ("the other file field", part(b'form-data; name="file"; filename="a"', SOUND) + END, no),
    ):
        yield what, Request(ASR, body), answers
    yield from _odd_types(sound)


def _odd_types(sound: bytes) -> Iterator[tuple[str, Request, frozenset[int]]]:
    for kind in (
        *(
            "multipart/form-data",
            "multipart/form-data; boundary=",
            'multipart/form-data; boundary="',
        ),
        *("multipart/mixed; boundary==_b", "text/plain", "application/json", "audio/wav", "", "/"),
        *(f"multipart/form-data; boundary={'b' * 300}", "multipart/form-data; boundary=\x7f"),
        *("multipart/form-data; boundary==_b; charset=utf-16", "MULTIPART/FORM-DATA; BOUNDARY==_b"),
        *("multipart/form-data;boundary*=utf-8''%3D_b", "multipart/form-data; boundary=\udcff"),
        *(f"multipart/form-data; {';' * 3000}", URLENCODED),
    ):
        yield f"content type {kind[:60]!r}", Request(ASR, sound + END, kind), ANY_ANSWER
    yield "no content type", Request(ASR, sound + END, None), REFUSALS
    for what, line in (
        ("nothing", b""),
        ("percents", b"%%%=%%%&%zz=%f&a%00b=%00"),
        ("no UTF-8", b"language=\xff"),
        ("5000 fields", b"a=b&" * 5000),
        ("one long field", b"prompt=" + b"x" * 70_000),
        ("semicolons", b"a;b;c=d" * 100),
        ("a file as a field", urlencode({"audio_file": SOUND}).encode()),
    ):
        yield f"urlencoded: {what}", Request(ASR, line, URLENCODED), REFUSALS
    for what, line in (("an object", b'{"file": "x"}'), ("deep", b"[" * 50_000), ("none", b"{")):
        yield f"JSON: {what}", Request(V1, line, "application/json"), REFUSALS
    for what, query in (
        *(("percents", "%%%&%zz=%&=&&&;"), ("NUL", "language=en%00"), ("overlong", "a=%c0%af")),
        *(("16 KB", "prompt=" + "x" * 16_000), ("2000 values", "a=1&" * 2000)),
        *(("many", "language[]=en&" * 500), ("arrays", "language[0]=en&language[1]=de")),
        *(
            ("an object", "language[a][b]=en"),
            ("no UTF-8", "language=%ff%fe"),
            ("a plus", "a+b=c+d"),
        ),
        *(("surrogates", "prompt=%ed%a0%80"), ("a path", "model=../../../../etc/passwd")),
        *(("a path that is there", "model=/etc"), ("a URL", "model=http://127.0.0.1/a")),
    ):
        yield f"query: {what}", Request(f"{ASR}?{query}", sound + END), ANY_ANSWER
    for what in ("..%2f..%2fetc", "%00", "a" * 5000, "%ff", "whisper-1/..", "%20", "%F0%9F%92%A5"):
        path = f"/openai/deployments/{what}/audio/transcriptions"
        yield f"deployment {what[:20]}", Request(path, file(V1) + END), ANY_ANSWER | {404, 308}
