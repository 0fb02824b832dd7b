"""The page at / for people: the files of this folder, read once at start, and nothing else."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from quart import Response, request
from werkzeug.exceptions import NotFound

if TYPE_CHECKING:
    from collections.abc import Mapping

    from quart_trio import QuartTrio

FOLDER = Path(__file__).parent
FRONT = "index.html"

# What is served of the folder, by the ends of names.
CONTENT_TYPES = MappingProxyType(
    {
        ".html": "text/html; charset=utf-8",
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".svg": "image/svg+xml",
        ".png": "image/png",
        ".webmanifest": "application/manifest+json",
    }
)

# Nothing comes from elsewhere, and nothing runs that stands in the page itself. Pictures and sound
# may be made in the page: recordings, and files that never leave the browser.
HEADERS = MappingProxyType(
    {
        "Cache-Control": "no-cache",  # kept, but asked for: a page is as new as its server
        "Content-Security-Policy": (
            "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
            "worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        ),
        "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
        "X-Content-Type-Options": "nosniff",
    }
)


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file as it is sent; ``packed`` is the same by gzip, if smaller, ``tag`` names both."""

    content_type: str
    body: bytes
    packed: bytes | None
    tag: str


def add_page_routes(app: QuartTrio, page: Mapping[str, PageFile]) -> None:
    """Serve what the page at / asks for, below /page/."""

    @app.get("/page/<name>")
    async def page_file(name: str) -> Response:
        if name not in page or name == FRONT:
            raise NotFound
        return answer(page[name])


def read_page(folder: Path = FOLDER) -> Mapping[str, PageFile]:
    """The page's files by name, and no others: nothing of a request becomes a path."""
    files = (file for file in folder.iterdir() if file.suffix in CONTENT_TYPES)
    return MappingProxyType({file.name: read(file) for file in files})


def read(file: Path) -> PageFile:
    """A file, packed once for all who ask."""
    body = file.read_bytes()
    packed = gzip.compress(body, mtime=0)
    smaller = packed if len(packed) < len(body) else None
    tag = sha256(body).hexdigest()[:16]
    return PageFile(CONTENT_TYPES[file.suffix], body, smaller, tag)


def answer(file: PageFile) -> Response:
    """A file of the page, which may do what it is there for; 304 to who has it already."""
    if request.if_none_match.contains_weak(file.tag):
        response = Response(b"", status=304)
    elif file.packed is not None and request.accept_encodings.quality("gzip") > 0:
        response = Response(file.packed, content_type=file.content_type)
        response.headers["Content-Encoding"] = "gzip"
    else:
        response = Response(file.body, content_type=file.content_type)
    response.set_etag(file.tag, weak=True)  # one for both encodings
    response.headers.update(HEADERS)
    response.vary.add("Accept-Encoding")
    return response
