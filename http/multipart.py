"""A multipart form that is fed with chunks: it keeps the fields and passes the file on.

The framework's own form parser is never used: it writes files on the event loop and adds a byte
to a file when a network chunk ends within a boundary.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Protocol
from urllib.parse import parse_qsl

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from asr.http.fields import bare_name
from asr.http.parameters import (
    KNOWN_SPEAKER_REFERENCES,
    REFERENCE_BYTES_MAX,
    REFERENCES_MAX,
)
from asr.pipeline.errors import InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Sequence

PARTS_MAX = 64  # the richest client known sends 14
HEADERS_MAX = 8  # of a part; clients send two or three
PREAMBLE_BYTES_MAX = 4096  # before the first part: nothing, with all clients known
HEADER_BYTES_MAX = 4224  # a file name of 4 KiB, and what is around it
FIELD_BYTES_MAX = 65_536  # all field values and names together, but for the clips of known voices
CLIP = KNOWN_SPEAKER_REFERENCES.name
CLIP_BYTES_MAX = REFERENCE_BYTES_MAX * 4 // 3 + 200  # one of those, in base64, and a head


class Form(Protocol):
    """A form of one kind or another, as it arrives."""

    file_name: str

    @property
    def has_file(self) -> bool:
        """Whether a file has begun."""
        ...

    def feed(self, chunk: bytes) -> Sequence[memoryview]:
        """Take the next bytes; returns those of them that belong to the file."""
        ...

    def finish(self) -> list[tuple[str, str]]:
        """The fields, once the whole form has been fed. Raises InvalidRequest."""
        ...


class UrlEncodedForm:
    """A form without files, all of it in one line; an empty body is such a form, too."""

    file_name = ""
    has_file = False

    def __init__(self) -> None:
        self._line = bytearray()

    def feed(self, chunk: bytes) -> Sequence[memoryview]:
        self._line += chunk
        if len(self._line) > FIELD_BYTES_MAX:
            raise too_rich()
        return ()

    def finish(self) -> list[tuple[str, str]]:
        try:
            return parse_qsl(self._line.decode(), errors="strict", max_num_fields=PARTS_MAX)
        except ValueError:
            raise InvalidRequest(
                f"The form is not UTF-8 text of at most {PARTS_MAX} fields"
            ) from None


class MultipartForm:
    """A form of parts, one of which is a file.

    The file is the part of a right *field name*: old clients send its file name in a way that
    no parser understands, so that the part looks like a plain field.
    """

    def __init__(self, boundary: bytes, *file_fields: str) -> None:
        self.file_name = ""
        self._file_fields = file_fields
        self._fields: list[tuple[str, bytearray]] = []
        self._field_bytes = 0
        self._preamble = bytearray()
        self._begins = re.compile(rb"(?:^|\n)(--" + re.escape(boundary) + rb")")
        self._begun = False
        self._parts = 0
        self.has_file = False
        self._in_file = False
        self._ended = False
        self._header = bytearray()
        self._header_value = bytearray()
        self._disposition = b""
        self._pieces: list[memoryview] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": self._take_header,
                    "on_header_value": self._take_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._open_part,
                    "on_part_data": self._take_data,
                    "on_end": self._end,
                },
                max_header_count=HEADERS_MAX,
                max_header_size=HEADER_BYTES_MAX,
            )
        except FormParserError:
            raise InvalidRequest("The boundary of the multipart body is too long") from None
        # It warns of each malformed form: clients that send them must not fill the log.
        self._parser.logger = logging.Logger("multipart", logging.CRITICAL)

    def feed(self, chunk: bytes) -> Sequence[memoryview]:
        if self._ended:  # an epilogue means nothing
            return []
        self._pieces = []
        try:
            self._parser.write(chunk if self._begun else self._from_first_part(chunk))
        except FormParserError:
            raise malformed() from None
        return self._pieces

    def _from_first_part(self, chunk: bytes) -> bytes:
        """What there is from the first boundary on: the parser takes some preambles, if unsplit."""
        self._preamble += chunk
        found = self._begins.search(self._preamble)
        if (found.start(1) if found else len(self._preamble)) > PREAMBLE_BYTES_MAX:
            raise malformed()
        if found is None:
            return b""
        self._begun = True
        return bytes(self._preamble[found.start(1) :])

    def finish(self) -> list[tuple[str, str]]:
        if not self._begun:
            raise malformed()
        if not self._ended:
            raise InvalidRequest("The multipart body ends before its last boundary")
        return [(name, decoded(name, value)) for name, value in self._fields]

    def _begin_part(self) -> None:
        self._parts += 1
        self._disposition = b""
        if self._parts > PARTS_MAX:
            raise InvalidRequest(f"The form has more than {PARTS_MAX} parts")

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)
        self._header.clear()
        self._header_value.clear()

    def _open_part(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = options.get(b"name", b"").decode(errors="replace")
        self._in_file = name in self._file_fields
        if self._in_file:
            self._open_file(options.get(b"filename", b""))
        elif b"filename" in options:
            wanted = f"the file goes into {self._file_fields[0]!r}"
            raise InvalidRequest(f"Unknown file field {name[:40]!r}; {wanted}", param=name[:40])
        else:
            self._open_field(name)

    def _open_field(self, name: str) -> None:
        self._count(len(name))
        self._fields.append((name, bytearray()))
        clips = sum(holds_clip(name) for name, _ in self._fields)
        if clips > REFERENCES_MAX:
            raise InvalidRequest(f"At most {REFERENCES_MAX} speakers may be known", param=CLIP)

    def _open_file(self, file_name: bytes) -> None:
        if self.has_file:
            raise InvalidRequest("The form has more than one file", param=self._file_fields[0])
        self.has_file = True
        self.file_name = file_name.decode(errors="replace")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(memoryview(data)[start:end])
            return
        name, value = self._fields[-1]
        value += data[start:end]
        if not holds_clip(name):
            self._count(end - start)
        elif len(value) > CLIP_BYTES_MAX:
            raise InvalidRequest(f"{CLIP}: at most {CLIP_BYTES_MAX} bytes each", param=CLIP)

    def _count(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > FIELD_BYTES_MAX:
            raise too_rich()

    def _end(self) -> None:
        self._ended = True


def holds_clip(name: str) -> bool:
    """Whether a field holds a voice, which takes more room than words."""
    return bare_name(name) == CLIP


def malformed() -> InvalidRequest:
    """The error for what is no form at all."""
    return InvalidRequest("The multipart body is malformed")


def too_rich() -> InvalidRequest:
    """The error for fields that are larger than any client's."""
    return InvalidRequest(f"The form's fields have more than {FIELD_BYTES_MAX} bytes")


def decoded(name: str, value: bytearray) -> str:
    """A field's text."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name[:40]} is not UTF-8 text", param=name[:40]) from None
