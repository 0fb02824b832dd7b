"""Sends bad input to a running server, judges each answer, and looks for what is left behind."""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import h11
import httpx
import trio

from bench.memory import counts, resident_mb
from tests.attack.media_lures import Canaries
from tests.http.wire import connect_to
from tests.real import process

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.attack.corpus import Case, Corpus
    from tests.real.process import Server

AT_ONCE = 6  # fewer than the server has places for: none is refused for want of one
ANSWER_S = 90.0

# What no client may read: where we live, what we are made of, what our tools say.
SECRETS = re.compile(
    rb"Traceback|\.py\b|site-packages|asr-spool|ffmpeg version|Stream #|libav|Invalid data found"
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status 0 is no answer at all."""

    status: int
    type: str
    body: bytes

    @property
    def message(self) -> str:
        """The words of a refusal, in any of the three envelopes, and the field it names."""
        if not self.type.startswith("application/json"):
            return self.body.decode()
        told = json.loads(self.body)
        if "detail" in told:
            return str(told["detail"])
        return f"{told['error']['message']} ({told['error']['param']})"


@dataclass(frozen=True, slots=True)
class Vitals:
    """What a server holds while it does nothing."""

    descriptors: int
    threads: int
    children: int
    resident_mb: float

    @staticmethod
    def of(pid: int) -> Vitals:
        return Vitals(*counts(pid), resident_mb(pid))


@dataclass(slots=True)
class Outcome:
    """What a campaign saw."""

    counts: dict[str, int] = field(default_factory=dict)  # by kind of case and status
    faults: list[str] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")

    def note(self, number: int, case: Case, answer: Answer, taken_s: float) -> None:
        name = f"{case.kind} {answer.status}"
        self.counts[name] = self.counts.get(name, 0) + 1
        self.slowest = max(self.slowest, (taken_s, f"{number} ({case.name})"))
        fault = fault_of(case, answer)
        if fault:
            self.faults.append(f"case {number}, {case.kind}, {case.name[:100]!r}: {fault}")


def fault_of(case: Case, answer: Answer) -> str | None:
    """What is wrong with an answer, if anything."""
    shown = answer.body[:300]
    if answer.status not in case.answers:
        return f"answered {answer.status}: {shown!r}"
    if SECRETS.search(answer.body):
        return f"tells too much: {shown!r}"
    if answer.status == 200:
        return None
    message = answer.message
    if not 10 < len(message) < 1000:
        return f"a message of {len(message)} characters: {shown!r}"
    decodes = "failed to decode audio" in message or "known_speaker_references" in message
    if case.kind == "media" and not decodes and answer.status != 413:
        return f"does not say what was wrong: {message}"
    if case.kind == "parameters" and not any(_named(name, message) for name in case.names):
        return f"names no field: {message}"
    return None


def _named(name: str, message: str) -> bool:
    related = "speaker" in name and "speaker" in message
    return name in message or related or "The form's fields have more than" in message


async def ask(url: str, pieces: Iterable[bytes]) -> Answer:
    """The answer to a request that is sent piece by piece, whatever is done to the rest of it."""
    with trio.move_on_after(ANSWER_S):
        async with await connect_to(url) as stream:
            async with trio.open_nursery() as nursery:

                async def send() -> None:
                    with suppress(trio.BrokenResourceError):
                        for piece in pieces:
                            await stream.send_all(piece)
                            await trio.lowlevel.checkpoint()

                nursery.start_soon(send)
                answer = await _answer(stream)
                nursery.cancel_scope.cancel()
            return answer
    return Answer(0, "", b"no answer in time")


async def _answer(stream: trio.SocketStream) -> Answer:
    wire = h11.Connection(h11.CLIENT)
    wire.send(h11.Request(method="POST", target="/", headers=[("Host", "x")]))
    wire.send(h11.EndOfMessage())
    head, body = None, bytearray()
    while True:
        event = wire.next_event()
        if event is h11.NEED_DATA:
            try:
                wire.receive_data(await stream.receive_some(65_536))
            except trio.BrokenResourceError:
                return Answer(0, "", b"the connection was reset")
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and head is not None:
            kind = dict(head.headers).get(b"content-type", b"").decode()
            return Answer(head.status_code, kind, bytes(body))
        elif isinstance(event, h11.ConnectionClosed):
            return Answer(0, "", b"the connection was closed without an answer")


async def attack(server: Server, corpus: Corpus, numbers: Iterable[int]) -> Outcome:
    """Send the cases of these numbers, some at once."""
    outcome, queue = Outcome(), iter(numbers)

    async def work() -> None:
        for number in queue:
            case = corpus.case(number)
            began = time.monotonic()
            answer = await ask(server.url, case.request.pieces())
            outcome.note(number, case, answer, time.monotonic() - began)

    async with trio.open_nursery() as nursery:
        for _ in range(AT_ONCE):
            nursery.start_soon(work)
    return outcome


@dataclass(frozen=True, slots=True)
class Watched:
    """Canaries, and how to tell whether one was touched."""

    canaries: Canaries
    listener: socket.socket

    def touched(self) -> list[str]:
        """Which of them were: a pipe has a reader, or somebody has connected."""
        found = []
        with suppress(OSError):  # it has no reader
            os.close(os.open(self.canaries.file, os.O_WRONLY | os.O_NONBLOCK))
            found.append("the file")
        with suppress(BlockingIOError):
            self.listener.accept()[0].close()
            found.append("the server")
        return found


@contextmanager
def canaries(folder: Path) -> Iterator[Watched]:
    """A pipe, whose reader hangs, and a port: whoever opens either is seen."""
    file = folder / "canary.ts"
    if not (file.exists() and stat.S_ISFIFO(file.stat().st_mode)):
        os.mkfifo(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        yield Watched(Canaries(file, f"127.0.0.1:{port}"), listener)


async def left_behind(server: Server, before: Vitals) -> list[str]:
    """What a server holds that it did not before, once it has had time to put it away."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:

        async def quiet() -> bool:
            now = Vitals.of(server.process.pid)
            busy = await process.in_flight(client)
            return not (busy or now.children or server.scratch()) and (
                now.descriptors <= before.descriptors + 1 and now.threads <= before.threads + 1
            )

        with suppress(trio.TooSlowError):
            await process.until(quiet, within_s=30)
            healthy = (await client.get("/health")).json()["status"]
            now = Vitals.of(server.process.pid)
            grown = now.resident_mb - before.resident_mb
            told = [] if grown < GROWN_MB_MAX else [f"{grown:.0f} MB more"]
            return told if healthy == "healthy" else [*told, f"it says {healthy}"]
    return [f"{before} before, {Vitals.of(server.process.pid)} after, {server.scratch()}"]


GROWN_MB_MAX = 60.0  # of an allocator that keeps what it had, after bodies of megabytes
