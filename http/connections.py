"""Who is connected, and who makes room when those are too many.

Each connection costs a descriptor, and ffmpeg, the spool and the models need some as well: were
they to run out, everybody would fail at once.
"""

from __future__ import annotations

from typing import Literal, Protocol

from asr.pipeline.errors import Busy

SERVED_MAX = 1000

# Beyond the bound: told that the server is full, each in the words of its path, while probes and
# scrapers are answered. Past these, connections are closed with a few bytes.
CROWD_MAX = 16

RETRY_S = 5.0  # when another connection may have ended is anybody's guess
SENTENCE = "The server has too many connections; try again later"

# What a connection may hope for: any answer, one that says it is full, or to be closed at once.
Welcome = Literal["served", "refused", "closed"]


class Connection(Protocol):
    """One connection, as far as its place is concerned."""

    def make_room(self) -> None:
        """End at once; nothing is being done for this client."""
        ...


class Connections:
    """The open connections: at most ``most`` that are served.

    One that waits for a request holds its place only until somebody else wants it: who has been
    waiting longest goes first. So neither idle clients nor heads that never end keep others out.
    """

    def __init__(self, most: int = SERVED_MAX) -> None:
        self.most = most
        self._served: set[Connection] = set()
        self._crowd: set[Connection] = set()
        self._idle: dict[Connection, None] = {}  # the longest waiting first

    def count(self) -> int:
        """How many are open, those who only hear that it is full included."""
        return len(self._served) + len(self._crowd)

    def enter(self, newcomer: Connection) -> Welcome:
        """Take a connection in, with room made by an idle one if need be."""
        if self._has_room(self._served, self.most):
            self._served.add(newcomer)
        elif self._has_room(self._crowd, CROWD_MAX):
            self._crowd.add(newcomer)
        else:
            return "closed"
        self._idle[newcomer] = None
        return "served" if newcomer in self._served else "refused"

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed, or about to be."""
        self._served.discard(connection)
        self._crowd.discard(connection)
        self._idle.pop(connection, None)

    def is_busy(self, connection: Connection) -> None:
        """A request has come."""
        self._idle.pop(connection, None)

    def is_idle(self, connection: Connection) -> None:
        """Its request is answered, and it waits for the next one."""
        if connection in self._served or connection in self._crowd:
            self._idle[connection] = None

    def _has_room(self, group: set[Connection], most: int) -> bool:
        """Whether there is room in a group, or was made."""
        if len(group) < most:
            return True
        oldest = next((waiting for waiting in self._idle if waiting in group), None)
        if oldest is None:
            return False
        self.leave(oldest)
        oldest.make_room()
        return True


def crowded() -> Busy:
    """The answer for those beyond the bound."""
    return Busy(SENTENCE, retry_after_s=RETRY_S)
