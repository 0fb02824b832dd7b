"""The API of a running server, as a program asks it: one connection a request, in plain threads.

Everything here blocks, and is called in a thread; ``jobs_patience.py`` does that.
"""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit

from asr import __version__
from asr.pipeline.errors import AsrError, InvalidRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr.terminal.jobs_form import Form

# An event stream says something every few seconds; an upload's answer comes when it is safe on the
# server's disk.
SILENT_S = 120.0
CONNECT_S = 10.0

ANSWER_BYTES_MAX = 256_000_000  # a day of speech with every word's times
ERROR_BYTES_MAX = 1 << 16
LINE_BYTES_MAX = 1 << 22  # of an event: a picture of the audio is 20 KB


class Unreachable(AsrError):
    """Nobody answers there, or the answer broke off."""


class Refused(AsrError):
    """The server would not, and says why; ``retry_after_s`` is there if it may later."""

    def __init__(self, message: str, status: int, retry_after_s: float | None) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event of a job: its number, what happened, and more about it.

    Number 0 is none of the job's own: it only says how things are at the moment.
    """

    number: int
    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Client:
    """A server by its address, without a slash at the end, and the key that it wants."""

    url: str
    key: str | None = field(default=None, repr=False)

    @cached_property
    def _parts(self) -> SplitResult:
        return checked(self.url)

    def ask(self, method: str, path: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of an answer. Raises Refused, Unreachable."""
        connection = self._connect()
        try:
            connection.request(method, self._path(path), headers=self._headers(headers))
            return _body(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None
        finally:
            connection.close()

    def send(
        self, path: str, form: Form, headers: Mapping[str, str], sent: Callable[[int], None]
    ) -> bytes:
        """Send a form, and tell how many bytes of it are on their way.

        Raises Refused, Unreachable, and OSError with the name of a file that cannot be read.
        """
        size = form.measured()
        connection = self._connect()
        try:
            connection.putrequest("POST", self._path(path))
            about = {"Content-Type": form.content_type, "Content-Length": str(size)}
            for name, value in self._headers({**about, **headers}).items():
                connection.putheader(name, value)
            connection.endheaders()
            self._pour(connection, form, size, sent)
            return _body(connection.getresponse())
        except (OSError, http.client.HTTPException) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            raise self._lost(error) from None
        finally:
            connection.close()

    def listen(self, job_id: str, after: int) -> Stream:
        """The events of a job that come after that number. Raises Refused, Unreachable."""
        connection = self._connect()
        told = {"Accept": "text/event-stream", "Last-Event-ID": str(after)}
        try:
            path = self._path(f"{path_of(job_id)}/events")
            connection.request("GET", path, headers=self._headers(told))
            line = connection.sock  # the connection may forget it, once there is an answer
            answer = connection.getresponse()
            if answer.status != HTTPStatus.OK:
                _body(answer)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise self._lost(error) from None
        except BaseException:
            connection.close()
            raise
        return Stream(line, answer)

    def _connect(self) -> http.client.HTTPConnection:
        """A connection that is open. Raises Unreachable."""
        parts = self._parts
        plain = parts.scheme == "http"
        kind = http.client.HTTPConnection if plain else http.client.HTTPSConnection
        connection = kind(parts.hostname or "", parts.port, timeout=CONNECT_S)
        try:
            connection.connect()
        except (OSError, http.client.HTTPException) as error:
            raise self._lost(error) from None
        connection.sock.settimeout(SILENT_S)
        return connection

    def _pour(
        self,
        connection: http.client.HTTPConnection,
        form: Form,
        size: int,
        sent: Callable[[int], None],
    ) -> None:
        """Send all of a form, or until the server has answered: then it wants no more of it."""
        done = 0
        for piece in form.pieces(size):
            if _has_answered(connection):
                return
            try:
                connection.send(piece)
            except (BrokenPipeError, ConnectionResetError):
                return  # its answer may be there all the same
            done += len(piece)
            sent(done)

    def _path(self, path: str) -> str:
        return f"{self._parts.path.rstrip('/')}{path}"

    def _headers(self, more: Mapping[str, str] | None) -> dict[str, str]:
        key = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return {"User-Agent": f"asr-service/{__version__}", **key, **(more or {})}

    def _lost(self, error: Exception) -> Unreachable:
        said = isinstance(error, OSError) and error.strerror
        return Unreachable(f"{self.url}: {said or str(error) or type(error).__name__}")


class Stream:
    """The events of a job, as they come."""

    def __init__(self, line: socket.socket, answer: http.client.HTTPResponse) -> None:
        self._line = line
        self._answer = answer

    def next(self) -> JobEvent | None:
        """The next one; None at the end, whether that was meant or not."""
        fields: dict[str, str] = {}
        try:
            while line := self._answer.readline(LINE_BYTES_MAX):
                text = line.decode(errors="replace").rstrip("\r\n")
                name, _, value = text.partition(":")
                if name:
                    fields[name] = fields.get(name, "") + value.removeprefix(" ")
                elif not text and "data" in fields:
                    return _news(fields)
                elif not text:
                    fields.clear()
        except (OSError, ValueError, http.client.HTTPException):
            pass
        return None

    def close(self) -> None:
        """Hear no more; who still waits for the next one in a thread comes back."""
        with suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()


def _news(fields: Mapping[str, str]) -> JobEvent:
    data = json.loads(fields["data"])
    if not isinstance(data, dict):
        raise ValueError("an event is an object")
    return JobEvent(int(fields.get("id", "0")), fields.get("event", ""), data)


def path_of(job_id: str) -> str:
    """Where a job is, at its server."""
    return f"/v1/jobs/{quote(job_id, safe='')}"


def checked(url: str) -> SplitResult:
    """An address of the web in its parts. Raises InvalidRequest."""
    try:
        parts = urlsplit(url)
        plain = url.isascii() and url.isprintable() and " " not in url
        if plain and parts.scheme in ("http", "https") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass
    raise InvalidRequest(f"--url: {url!r} is not an address such as http://host:9001")


def _has_answered(connection: http.client.HTTPConnection) -> bool:
    """Whether there is something to read. With TLS nobody can say: it has words of its own."""
    if isinstance(connection.sock, ssl.SSLSocket):
        return False
    return bool(select.select([connection.sock], [], [], 0)[0])


def _body(answer: http.client.HTTPResponse) -> bytes:
    """The body of an answer that is no error. Raises Refused."""
    if answer.status < HTTPStatus.BAD_REQUEST:
        body = answer.read(ANSWER_BYTES_MAX + 1)
        if len(body) > ANSWER_BYTES_MAX:
            raise Refused("The answer is larger than any transcript", answer.status, None)
        return body
    after = answer.headers.get("Retry-After", "")
    retry_after_s = float(after) if after.isdecimal() else None
    message = _message(answer.read(ERROR_BYTES_MAX))
    raise Refused(
        message or f"the server answered with status {answer.status}", answer.status, retry_after_s
    )


def _message(body: bytes) -> str:
    """What an error says, in either dialect; nothing if it is none of ours."""
    try:
        said = json.loads(body)
        return str(said["error"]["message"] if "error" in said else said["detail"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
