"""A request's body, streamed: its file goes to the spool as it arrives, its fields stay here."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio
from python_multipart.multipart import parse_options_header
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from asr.actors.trail import stage
from asr.http import parameters as known
from asr.http.body import bounded
from asr.http.errors import MissingFile
from asr.http.fields import Fields
from asr.http.keys import client_of
from asr.http.multipart import (
    CLIP_BYTES_MAX,
    FIELD_BYTES_MAX,
    Form,
    MultipartForm,
    UrlEncodedForm,
)
from asr.pipeline.errors import InvalidRequest, ShuttingDown, TooLarge, UnreadableAudio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from quart.wrappers import Request

    from asr.actors.any_house import AnyHouse
    from asr.actors.receiver import Spool
    from asr.http.settings import HttpSettings

# Of a body beyond its file: boundaries, headers, fields.
FRAMING_BYTES_MAX = 1_000_000 + FIELD_BYTES_MAX + known.REFERENCES_MAX * CLIP_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Upload:
    """A file on disk, the name that its client gave it (never a path of ours), and the fields.

    ``release`` gives the file up before the context does, when all of it has been read.
    """

    path: Path
    name: str
    fields: Fields
    release: Callable[[], Awaitable[None]]


@asynccontextmanager
async def receive_upload(
    request: Request,
    house: AnyHouse,
    *,
    file_field: str,
    other_field: str = "",
    settings: HttpSettings,
    bytes_kept: int | None = None,
) -> AsyncIterator[Upload]:
    """Store the body's file, or what its ``url`` names, until the context is left.

    The file is in ``file_field``, or in ``other_field`` if there is a second name for it.
    What comes after ``bytes_kept`` of the file is read and dropped. Raises InvalidRequest for a
    malformed form, MissingFile, UnreadableAudio for an empty file, TooLarge as soon as the bytes or
    their announcement say so, RequestTimeout for a slow client.
    """
    receiver = house.receiver
    form = form_of(request, file_field, other_field)
    declared = declared_bytes(request.content_length, receiver.max_bytes)
    if bytes_kept is not None and declared is not None:
        declared = min(declared, bytes_kept)
    async with AsyncExitStack() as kept:
        with stage("upload"):
            spool = await kept.enter_async_context(
                receiver.open(declared_bytes=declared, client=client_of(request))
            )
            try:
                await store(request, form, Kept(spool, bytes_kept), settings=settings)
            except RequestEntityTooLarge:
                raise TooLarge.file(receiver.max_bytes, param="file") from None
            fields = Fields.gather(request.args.items(multi=True), form.finish())
            name = form.file_name
            url = fields.read(known.URL)
            if not form.has_file and url is None:
                raise missing(file_field)
            if url is not None:
                if form.has_file:
                    raise InvalidRequest("Send a file or a url, not both", param=known.URL.name)
                name = await house.fetcher.fetch(url, spool.write, bytes_max=receiver.max_bytes)
            await spool.finish()
            if not spool.size:
                raise UnreadableAudio("the file is empty")
        yield Upload(spool.path, name, fields, kept.aclose)


class Kept:
    """The beginning of a file; ``bytes_max`` None keeps all of it."""

    def __init__(self, spool: Spool, bytes_max: int | None) -> None:
        self._spool = spool
        self._bytes_max = bytes_max

    async def write(self, piece: memoryview) -> None:
        """Store the next bytes as far as they are wanted."""
        if self._bytes_max is not None:
            piece = piece[: max(0, self._bytes_max - self._spool.size)]
        if piece:
            await self._spool.write(piece)


async def store(request: Request, form: Form, file: Kept, *, settings: HttpSettings) -> None:
    """Feed the body through the form into the file, as fast as the disk takes it."""
    deadline = trio.current_time() + settings.upload_max_s
    while True:
        left_s = deadline - trio.current_time()
        chunk = await next_chunk(request, patience_s=min(left_s, settings.body_chunk_timeout_s))
        if chunk is None:
            return
        for piece in form.feed(chunk):
            await file.write(piece)


async def next_chunk(request: Request, *, patience_s: float) -> bytes | None:
    """The next bytes of the body, None at its end.

    Raises RequestTimeout when they do not come, or ShuttingDown once there is no time to wait.
    """
    with bounded(request).door.patience.waiting(patience_s) as waiting:
        try:
            return await anext(request.body)
        except StopAsyncIteration:
            return None
    assert waiting.cancelled_caught
    if bounded(request).door.closed:
        raise ShuttingDown
    raise RequestTimeout


def form_of(request: Request, file_field: str, other_field: str = "") -> Form:
    """What will take the body in, or MissingFile when that is no form."""
    kind, options = parse_options_header(request.headers.get("Content-Type"))
    boundary = options.get(b"boundary")
    if kind == b"multipart/form-data" and boundary:
        return MultipartForm(boundary, *filter(None, (file_field, other_field)))
    if kind == b"application/x-www-form-urlencoded" or known.URL.name in request.args:
        return UrlEncodedForm()
    raise missing(file_field)


def missing(file_field: str) -> MissingFile:
    """The error for a request without audio."""
    return MissingFile(
        f"Send the audio as the file {file_field!r} of a multipart/form-data body", param=file_field
    )


def declared_bytes(content_length: int | None, bytes_max: int) -> int | None:
    """How many bytes the file may have at most, going by the length of the body around it."""
    if content_length is None or content_length > bytes_max + FRAMING_BYTES_MAX:
        return content_length
    return min(content_length, bytes_max)
