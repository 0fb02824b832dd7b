"""A multipart body, streamed: its one file goes to the spool as it arrives, its fields stay here.

The framework's own form parser is never used: it writes files on the event loop and adds a byte
to a file when a network chunk ends within a boundary.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from asr.http.errors import MissingFile
from asr.http.forms import Fields
from asr.pipeline.errors import InvalidRequest, TooLarge, UnreadableAudio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from quart.wrappers import Request

    from asr.actors.receiver import Receiver, Spool
    from asr.http.settings import HttpSettings

PARTS_MAX = 32  # the richest client known sends 14
FIELD_BYTES_MAX = 65_536  # all field values and names together
FRAMING_BYTES_MAX = 1_048_576  # of a body beyond its file: boundaries, headers, fields


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on disk, the name that its client gave it (never a path of ours), and the fields."""

    path: Path
    name: str
    fields: Fields


@asynccontextmanager
async def receive_upload(
    request: Request, receiver: Receiver, *, file_field: str, settings: HttpSettings
) -> AsyncIterator[Upload]:
    """Store the body's file until the context is left.

    Raises InvalidRequest for a malformed form, MissingFile, UnreadableAudio for an empty file,
    TooLarge as soon as the bytes or their announcement say so, RequestTimeout for a slow client.
    """
    form = Form(boundary_of(request), file_field)
    declared = declared_bytes(request.content_length, receiver.max_bytes)
    async with receiver.open(declared_bytes=declared) as spool:
        try:
            await store(request, form, spool, settings=settings)
        except RequestEntityTooLarge:
            raise too_large(receiver.max_bytes) from None
        fields = Fields.gather(request.args.items(multi=True), form.finish())
        await spool.finish()
        if not spool.size:
            raise UnreadableAudio("the file is empty")
        yield Upload(spool.path, form.file_name, fields)


async def store(request: Request, form: Form, spool: Spool, *, settings: HttpSettings) -> None:
    """Feed the body through the form into the spool, as fast as the disk takes it."""
    deadline = trio.current_time() + settings.upload_max_s
    while True:
        pause_ends = trio.current_time() + settings.body_chunk_timeout_s
        chunk = await next_chunk(request, deadline=min(deadline, pause_ends))
        if chunk is None:
            return
        for piece in form.feed(chunk):
            await spool.write(piece)


async def next_chunk(request: Request, *, deadline: float) -> bytes | None:
    """The next bytes of the body, None at its end; RequestTimeout when they do not come."""
    with trio.CancelScope(deadline=deadline) as waiting:
        try:
            return await anext(request.body)
        except StopAsyncIteration:
            return None
    assert waiting.cancelled_caught
    raise RequestTimeout


def boundary_of(request: Request) -> bytes:
    """The line that separates the parts, or MissingFile when the body is no form with files."""
    kind, options = parse_options_header(request.headers.get("Content-Type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise MissingFile("Send the audio as a file in a multipart/form-data body", param="file")
    return boundary


def declared_bytes(content_length: int | None, bytes_max: int) -> int | None:
    """How many bytes the file may have at most, going by the length of the body around it."""
    if content_length is None or content_length > bytes_max + FRAMING_BYTES_MAX:
        return content_length
    return min(content_length, bytes_max)


def too_large(bytes_max: int) -> TooLarge:
    """The error for a body past the limit, in the words that clients of /asr look for."""
    limit = f"Maximum content size limit is {bytes_max:,} bytes"
    return TooLarge(f"File too large. {limit}", param="file", code="file_too_large")


class Form:
    """A multipart form that is fed with chunks: it keeps the fields and passes the file on.

    The file is the part of the right *field name*: old clients send its file name in a way that
    no parser understands, so that the part looks like a plain field.
    """

    def __init__(self, boundary: bytes, file_field: str) -> None:
        self.file_name = ""
        self._file_field = file_field
        self._fields: list[tuple[str, bytearray]] = []
        self._field_bytes = 0
        self._parts = 0
        self._file_seen = False
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
            )
        except FormParserError:
            raise InvalidRequest("The boundary of the multipart body is too long") from None

    def feed(self, chunk: bytes) -> list[memoryview]:
        """Take the next bytes; returns those of them that belong to the file."""
        if self._ended:  # an epilogue means nothing
            return []
        self._pieces = []
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise InvalidRequest("The multipart body is malformed") from None
        return self._pieces

    def finish(self) -> list[tuple[str, str]]:
        """The fields, once the whole form has been fed."""
        if not self._ended:
            raise InvalidRequest("The multipart body ends before its last boundary")
        if not self._file_seen:
            message = f"The form has no file; send it in the field {self._file_field!r}"
            raise MissingFile(message, param=self._file_field)
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
        self._in_file = name == self._file_field
        if self._in_file:
            self._open_file(options.get(b"filename", b""))
        elif b"filename" in options:
            wanted = f"the file goes into {self._file_field!r}"
            raise InvalidRequest(f"Unknown file field {name[:40]!r}; {wanted}", param=name[:40])
        else:
            self._count(len(name))
            self._fields.append((name, bytearray()))

    def _open_file(self, file_name: bytes) -> None:
        if self._file_seen:
            raise InvalidRequest("The form has more than one file", param=self._file_field)
        self._file_seen = True
        self.file_name = file_name.decode(errors="replace")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._in_file:
            self._pieces.append(memoryview(data)[start:end])
        else:
            self._count(end - start)
            self._fields[-1][1].extend(data[start:end])

    def _count(self, size: int) -> None:
        self._field_bytes += size
        if self._field_bytes > FIELD_BYTES_MAX:
            raise InvalidRequest(f"The form's fields have more than {FIELD_BYTES_MAX} bytes")

    def _end(self) -> None:
        self._ended = True


def decoded(name: str, value: bytearray) -> str:
    """A field's text."""
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{name[:40]} is not UTF-8 text", param=name[:40]) from None
