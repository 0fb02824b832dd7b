"""A form with a file in it, sent from the disk: of the file no more than a piece is in memory."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

PIECE_BYTES = 1 << 18
ESCAPES = {ord('"'): "%22", ord("\r"): "%0D", ord("\n"): "%0A"}  # as browsers send names


@dataclass(frozen=True, slots=True)
class Form:
    """Fields, and a file with the name that the server is told."""

    fields: Mapping[str, str]
    file: Path
    boundary: str = field(default_factory=lambda: uuid4().hex)

    @property
    def content_type(self) -> str:
        return f"multipart/form-data; boundary={self.boundary}"

    def fingerprint(self) -> str:
        """64 letters that are the same for the same content, name and fields. Raises OSError."""
        about = json.dumps([self.file.name, dict(self.fields)], sort_keys=True)
        with self.file.open("rb") as opened:
            content = hashlib.file_digest(opened, "sha256").digest()
        return hashlib.sha256(content + about.encode()).hexdigest()

    def measured(self) -> int:
        """How many bytes there will be. Raises OSError."""
        return len(self._head()) + self.file.stat().st_size + len(self._tail())

    def pieces(self, size: int) -> Iterator[bytes]:
        """All bytes, as many as were measured. Raises OSError, also when the file shrank."""
        head, tail = self._head(), self._tail()
        left = size - len(head) - len(tail)
        yield head
        with self.file.open("rb") as opened:
            while left:
                piece = opened.read(min(PIECE_BYTES, left))
                if not piece:
                    raise OSError(None, "it shrank while it was sent", os.fspath(self.file))
                left -= len(piece)
                yield piece
        yield tail

    def _head(self) -> bytes:
        parts = [
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in self.fields.items()
        ]
        named = self.file.name.translate(ESCAPES)
        parts.append(
            f'--{self.boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{named}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        )
        return "".join(parts).encode(errors="replace")

    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()
