"""A server of jobs that has no engine: what a test scripts happens to each."""

from __future__ import annotations

import json
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from python_multipart.multipart import parse_options_header

if TYPE_CHECKING:
    from collections.abc import Iterator

Script = tuple[tuple[str, dict[str, Any]], ...]  # events: what happens, and more about it

DONE: Script = (
    ("queued", {"place": 1}),
    ("started", {"tries": 1}),
    ("progress", {"state": "transcribing", "done_s": 30.0, "audio_s": 60.0, "left_s": 4.0}),
    ("segment", {"index": 0, "start": 0.0, "end": 30.0, "text": " Hello."}),
    ("done", {"duration": 60.0, "language": "en", "stages": {}, "warnings": []}),
)
FAILED: Script = (
    ("queued", {"place": 1}),
    ("failed", {"error": {"message": "There is no sound in it"}}),
)
CANCELLED: Script = (("cancelled", {}),)


@dataclass
class FakeJobs:
    """What the server knows, and what was asked of it. ``port`` is where it listens.

    ``refusals`` are answers to the next submissions: a status and seconds of Retry-After, or None
    for a line that breaks. ``cuts`` are the events after which the next streams break off.
    """

    port: int = 0
    ends: dict[str, Script] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    forms: list[dict[str, str]] = field(default_factory=list)
    refusals: deque[tuple[int, int] | None] = field(default_factory=deque)
    cuts: deque[int] = field(default_factory=deque)
    asked: list[str] = field(default_factory=list)
    heard_from: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    key: str | None = None  # others are refused, with status 401
    late: bool = False  # jobs are done just before somebody ends them
    hold: threading.Event | None = None  # streams say nothing after their first event until it

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def add(self, job_id: str, **about: Any) -> None:
        """A job that is there already, the oldest last."""
        self.jobs[job_id] = {
            **{"id": job_id, "object": "job", "state": "done", "file_name": f"{job_id}.mp3"},
            **{"created_at": 1_790_000_000.0, "error": None, **about},
        }

    def submit(self, key: str, form: dict[str, str], file: bytes) -> dict[str, Any]:
        """A job: the same one for the same key."""
        self.keys.append(key)
        job_id = f"job_{key[:8]}"
        if job_id not in self.jobs:
            self.forms.append(form)
            self.sent[form["file"]] = file
            self.add(job_id, state="queued", file_name=form["file"])
        return self.jobs[job_id]

    def events(self, job_id: str) -> Script:
        """What happens to a job, by the name of its file."""
        return self.ends.get(self.jobs[job_id]["file_name"], DONE)


class Desk(BaseHTTPRequestHandler):
    """Answers as /v1/jobs does."""

    protocol_version = "HTTP/1.1"
    there: FakeJobs

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: stderr belongs to the test run."""

    def do_POST(self) -> None:
        self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._refused():
            return
        if self.there.refusals:
            refusal = self.there.refusals.popleft()
            if refusal is None:
                self.close_connection = True
                return
            self.there.keys.append(self.headers["Idempotency-Key"])
            status, after_s = refusal
            self._say(status, {"error": {"message": f"no, {status}"}}, {"Retry-After": after_s})
            return
        form, file = read_form(body, self.headers["Content-Type"])
        self._say(202, self.there.submit(self.headers["Idempotency-Key"], form, file))

    def do_GET(self) -> None:
        self._note()
        if self._refused():
            return
        parts = urlsplit(self.path)
        _, _, _, *rest = parts.path.split("/")
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if not rest:
            self._list(query)
        elif rest[0] not in self.there.jobs:
            self._say(404, {"error": {"message": "There is no such job"}})
        elif rest[1:] == ["events"]:
            self._events(rest[0])
        elif rest[1:] == ["result"]:
            self._result(query)
        else:
            self._say(200, self.there.jobs[rest[0]])

    def do_DELETE(self) -> None:
        self._note()
        parts = urlsplit(self.path)
        job = self.there.jobs[parts.path.split("/")[3]]
        if self.there.late:
            job["state"] = "done"
        if job["state"] in ("queued", "running"):
            job["state"] = "cancelled"
            self._say(200, job)
        elif parts.query == "only=cancel":
            self._say(200, job)
        else:
            del self.there.jobs[job["id"]]
            self._say(200, {"id": job["id"], "object": "job", "deleted": True})

    def _note(self) -> None:
        self.there.asked.append(f"{self.command} {self.path}")
        self.there.authorizations.add(self.headers.get("Authorization", ""))

    def _refused(self) -> bool:
        """Whether that is not our key: then it is said."""
        wrong = self.there.key and self.headers.get("Authorization") != f"Bearer {self.there.key}"
        if wrong:
            self._say(401, {"error": {"message": "Incorrect API key"}})
        return bool(wrong)

    def _list(self, query: dict[str, str]) -> None:
        ids = [
            id for id, job in self.there.jobs.items() if query.get("state") in (None, job["state"])
        ]
        after = ids.index(query["after"]) + 1 if "after" in query else 0
        page = ids[after : after + int(query["limit"])]
        more = len(ids) > after + len(page)
        data = [self.there.jobs[job_id] for job_id in page]
        self._say(200, {"object": "list", "data": data, "has_more": more})

    def _result(self, query: dict[str, str]) -> None:
        text = " ".join(f"{name}={value}" for name, value in sorted(query.items()))
        body = json.dumps({"text": text}) if query["format"] == "json" else text
        self._say(200, body)

    def _events(self, job_id: str) -> None:
        after = int(self.headers["Last-Event-ID"])
        self.there.heard_from.append(after)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"retry: 3000\n\n: hello\n\n")
        until = self.there.cuts.popleft() if self.there.cuts else None
        events = enumerate(self.there.events(job_id), 1)
        for number, (kind, data) in ((n, event) for n, event in events if n > after):
            if until is not None and number > until:
                return
            about = f"id: {number}\nevent: {kind}\ndata: {json.dumps(data)}\n\n"
            with suppress(OSError):  # nobody listens any more
                self.wfile.write(about.encode())
                self.wfile.flush()
            if self.there.hold:
                self.there.hold.wait()
        self.there.jobs[job_id]["state"] = self.there.events(job_id)[-1][0]

    def _say(
        self, status: int, body: dict[str, Any] | str, headers: dict[str, int] | None = None
    ) -> None:
        text = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


def read_form(body: bytes, content_type: str) -> tuple[dict[str, str], bytes]:
    """The fields of a form, the name of its file as ``file``, and what is in that."""
    _, options = parse_options_header(content_type)
    fields: dict[str, str] = {}
    file = b""
    for part in body.split(b"--" + options[b"boundary"])[1:-1]:
        head, _, value = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        disposition = head.split(b"\r\n")[0].partition(b": ")[2]
        _, about = parse_options_header(disposition)
        name, value = about[b"name"].decode(), value.removesuffix(b"\r\n")
        if b"filename" in about:
            fields[name], file = about[b"filename"].decode(), value
        else:
            fields[name] = value.decode()
    return fields, file


@contextmanager
def serving_jobs() -> Iterator[FakeJobs]:
    """A server for as long as the context lasts."""
    there = FakeJobs()
    desk = type("AtThisDesk", (Desk,), {"there": there})
    with ThreadingHTTPServer(("127.0.0.1", 0), desk) as httpd:
        there.port = httpd.server_port
        thread = threading.Thread(target=httpd.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield there
        finally:
            if there.hold:
                there.hold.set()
            httpd.shutdown()
            thread.join()
