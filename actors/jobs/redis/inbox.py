"""What a process hears from the queue's server: hints where to look, by one reader for all.

Hints hold nothing: whoever is woken asks for what there is, so that one more costs a question, and
one that was lost only time. The same task says that the process is there, and has its jobs still.
"""

from __future__ import annotations

import logging
from collections import deque
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.queue import TRIES_MAX, QueueUnavailable

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from asr.actors.jobs.redis.library import Library
    from asr.actors.jobs.redis.pool import Client

log = logging.getLogger(__name__)

BLOCK_MS = 5000  # shorter than the silence after which a connection is given up
AT_ONCE = 1000  # hints read together

EARLY_MAX = 256  # words to stop at a job that came before the job did, or after its end

WORK = "work"
NOTICE = "notice"
STOP = "stop"


class Bell:
    """Rings for somebody who waits, or will soon: no ring is missed, many are one."""

    def __init__(self) -> None:
        self._rung = trio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def heard(self) -> None:
        """Return when it has rung since the last time."""
        await self._rung.wait()
        self._rung = trio.Event()


class Inbox:
    """The hints for a process of this name, and its heart."""

    def __init__(
        self, client: Client, library: Library, process: str, *, lease_s: float, poison: str
    ) -> None:
        self.process = process
        self.lease_s = lease_s
        self.poison = poison  # why a job is given up that too many processes died at
        self._client = client
        self._library = library
        self._key = f"{library.prefix}inbox:{process}"
        self._read = "0-0"
        self._bells: dict[tuple[str, str], set[Bell]] = {}
        self._minded: dict[str, tuple[str, Callable[[], None]]] = {}
        self._early: deque[str] = deque(maxlen=EARLY_MAX)

    @contextmanager
    def listening(self, what: str, which: str = "") -> Iterator[Bell]:
        """A bell for hints of a kind."""
        bells = self._bells.setdefault((what, which), set())
        bells.add(bell := Bell())
        try:
            yield bell
        finally:
            bells.discard(bell)
            if not bells:
                self._bells.pop((what, which), None)

    @contextmanager
    def minding(self, job_id: str, token: str, stop: Callable[[], None]) -> Iterator[None]:
        """Say again and again that we are at a job; ``stop`` is called when it is ours no more."""
        self._minded[token] = (job_id, stop)
        if token in self._early:
            stop()
        try:
            yield
        finally:
            del self._minded[token]

    async def beat(self) -> None:
        """Say that this process is there and what it is at; hear what it must let go."""
        minded = [word for token, (job, _) in self._minded.items() for word in (job, token)]
        missed, stops = await self._library.call(
            "beat", self.process, self.lease_s, self._read, TRIES_MAX, self.poison, *minded
        )
        if missed:
            self._read = "0-0"
            self._ring_all()
        for token in stops:
            self._stop(token.decode())

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Beat and read, as long as the context lasts."""
        failed: Exception | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_heart)
            nursery.start_soon(self._run_reader)
            try:
                yield
            except Exception as error:  # it leaves as it is, and not in a group
                failed = error
            nursery.cancel_scope.cancel()
        if failed is not None:
            raise failed

    async def _run_heart(self) -> None:
        """Beat for ever; a server that is away is waited for."""
        while True:
            await trio.sleep(self.lease_s / 3)
            try:
                await self.beat()
            except QueueUnavailable:
                continue

    async def _run_reader(self) -> None:
        """Read hints for ever, and ring."""
        while True:
            try:
                await self._read_some()
            except QueueUnavailable:
                continue

    async def _read_some(self) -> None:
        came = await self._client.xread({self._key: self._read}, count=AT_ONCE, block=BLOCK_MS)
        for entries in (came or {}).values():
            for entry in entries:
                self._read = str(_text(entry.identifier))
                for what, which in entry.field_values.items():
                    self._hint(_text(what), _text(which))

    def _hint(self, what: str, which: str) -> None:
        if what == STOP:
            self._stop(which)
        self.ring(what, which)

    def ring(self, what: str, which: str = "") -> None:
        """Whoever listens for hints of this kind looks again."""
        for bell in self._bells.get((what, which), ()):
            bell.ring()

    def _stop(self, token: str) -> None:
        if token in self._minded:
            self._minded[token][1]()
        else:
            self._early.append(token)

    def _ring_all(self) -> None:
        """Hints were lost, perhaps: everybody looks."""
        for bells in self._bells.values():
            for bell in bells:
                bell.ring()

    async def leave(self) -> None:
        """Say goodbye."""
        await self._library.call("leave", self.process)


def _text(word: str | bytes) -> str:
    return word.decode() if isinstance(word, bytes) else str(word)
