"""Forms to the byte, for clients that build them in ways that no library here would."""

from __future__ import annotations

BOUNDARY = "----BoundaryOfAClient"


def form(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """A body of parts, each with the lines of its head, and the request's headers."""
    body = b"".join(
        b"--%s\r\n%s\r\n\r\n%s\r\n" % (BOUNDARY.encode(), head.encode(), content)
        for head, content in parts
    )
    end = b"--%s--\r\n" % BOUNDARY.encode()
    return body + end, {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}


def disposition(name: str, file_name: str | None = None) -> str:
    """The line that every part has."""
    named = f'Content-Disposition: form-data; name="{name}"'
    return named if file_name is None else f'{named}; filename="{file_name}"'
