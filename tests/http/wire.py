"""What goes over the wire: multipart bodies, raw requests, and a server's address."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import trio
import trio.testing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from quart.typing import TestClientProtocol
    from quart.wrappers import Response

    from tests.http.fakes import FakeHouse

AUDIO = b"RIFF\r\n--not a boundary\r\n\x00\xff" * 40
BOUNDARY = "the-boundary"
FORM_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
JOBS = "/v1/jobs"


def form(
    fields: Mapping[str, str | list[str]] | None = None,
    *,
    file_field: str = "file",
    audio: bytes = AUDIO,
    name: str = "talk.mp3",
) -> bytes:
    """A form of BOUNDARY with the fields, then a file, as a well-kept client writes it."""
    files = {file_field: (name, audio)}
    headers = {"Content-Type": FORM_TYPE}
    request = httpx.Request(
        "POST", "http://x/", data=dict(fields or {}), files=files, headers=headers
    )
    return request.read()


def asr_form(fields: Mapping[str, str | list[str]] | None = None, **more: object) -> bytes:
    return form(fields, file_field="audio_file", **more)  # type: ignore[arg-type]


def part(disposition: str, value: bytes = b"x") -> bytes:
    """A part of a form of BOUNDARY, as it stands in the body."""
    head = f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()


def post(path: str, body: bytes, *headers: str) -> bytes:
    """A raw request for a form."""
    length = (
        [] if any("Transfer" in header for header in headers) else [f"Content-Length: {len(body)}"]
    )
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Type: {FORM_TYPE}", *length, *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def submitted(desk: TestClientProtocol, **fields: str) -> dict[str, Any]:
    """A new job with these fields of the form, as it is shown."""
    answer = await desk.post(JOBS, data=form(fields), headers={"Content-Type": FORM_TYPE})
    assert answer.status_code == 202
    job: dict[str, Any] = await answer.get_json()
    return job


async def made(desk: TestClientProtocol, **fields: str) -> str:
    """The id of a new job."""
    job_id: str = (await submitted(desk, **fields))["id"]
    return job_id


async def error_of(answer: Response) -> tuple[int, str | None, str | None]:
    """The status, the code and the field of an error in OpenAI's envelope."""
    error = (await answer.get_json())["error"]
    return answer.status_code, error["code"], error["param"]


async def connect_to(url: str) -> trio.SocketStream:
    """A connection to the server at an address."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return await trio.open_tcp_stream(parts.hostname, parts.port)


@dataclass(frozen=True)
class Server:
    """A running front desk; ``stop`` asks it to end, ``gone`` says that it has."""

    url: str
    stop: trio.Event
    gone: trio.Event

    async def connect(self) -> trio.SocketStream:
        return await connect_to(self.url)

    async def say(self, data: bytes, *, within_s: float = 5) -> bytes:
        """Send raw bytes; all that comes back until the server closes the connection."""
        async with await self.connect() as stream:
            with trio.fail_after(within_s):
                with suppress(trio.BrokenResourceError):
                    await stream.send_all(data)
                return await read_all(stream)

    async def healthy(self) -> bool:
        async with httpx.AsyncClient(base_url=self.url) as client:
            return (await client.get("/health")).status_code == 200


async def read_all(stream: trio.SocketStream) -> bytes:
    """What the server sends until it closes, however it does that."""
    heard = bytearray()
    with suppress(trio.BrokenResourceError):
        async for data in stream:
            heard += data
    return bytes(heard)


def counted(house: FakeHouse) -> list[str]:
    """The lines of the request counter: a request is counted when all of it is over."""
    lines = house.metrics.render()[0].decode().splitlines()
    return [line for line in lines if line.startswith("whisperx_requests_total{")]


async def until(condition: Callable[[], bool]) -> None:
    """Wait on the real clock until it holds: there is a socket between us and the server."""
    with trio.fail_after(5):
        while not condition():
            await trio.testing.wait_all_tasks_blocked(0.01)
