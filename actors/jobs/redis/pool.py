"""A client of Redis that tries again: what coredis leaves to those who use it. Import it lazily."""

from __future__ import annotations

import logging
from contextlib import nullcontext
from ssl import SSLCertVerificationError
from typing import TYPE_CHECKING, TypeVar, cast

import anyio
import trio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from coredis import Redis
from coredis.connection import BaseConnection, TCPConnection, UnixDomainSocketConnection
from coredis.exceptions import (
    AuthenticationError,
    ConnectionError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from coredis.retry import NoRetryPolicy

from asr.actors.jobs.queue import QueueUnavailable
from asr.actors.jobs.redis.client import QueueRefused
from asr.pipeline.errors import Busy

if TYPE_CHECKING:
    from anyio.abc import TaskStatus
    from coredis.commands import CommandRequest

T = TypeVar("T")

log = logging.getLogger(__name__)

PATIENCE_S = 60.0  # a restart of the server with some GB to load
PAUSES_S = (0.05, 0.1, 0.2, 0.4)  # then as the last, again and again

# A connection on which nothing comes back for so long is given up: its link may be cut. Longer than
# any command that waits.
SILENCE_S = 10

# What a server says that loads, is at a long script of somebody's, has lost its leader, or cannot
# write to its disk.
PASSING = ("LOADING", "BUSY ", "MASTERDOWN", "MISCONF", "NOREPLICAS", "CLUSTERDOWN")

# Commands at once; each wants a connection only while it is being sent.
AT_ONCE_MAX = 32

# coredis 6.9 never has the place of a connection back that broke, or was cancelled, while a command
# waited on it: so there are more places than outages will ever be. AT_ONCE_MAX is what bounds them.
PLACES = 10_000


class Closing(BaseConnection):
    """Closes what coredis leaves open when nobody answers, and Python would warn of each time."""

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """The whole life of a connection."""
        try:
            await super().run(task_status=task_status)
        finally:
            for part in vars(self).values():
                if isinstance(part, (MemoryObjectReceiveStream, MemoryObjectSendStream)):
                    part.close()


class ClosingTcp(Closing, TCPConnection):
    """A connection to another machine."""


class ClosingUnix(Closing, UnixDomainSocketConnection):
    """A connection to a server on this machine."""


# What comes through when a connection is closed, by the server or for idling, as it is taken.
CLOSED = (anyio.ClosedResourceError, anyio.BrokenResourceError)


class Client(Redis[bytes]):
    """Commands that are tried again for PATIENCE_S, and then raise QueueUnavailable.

    QueueRefused comes at once: whom the server does not know now it will not know later.
    """

    at_once: trio.CapacityLimiter
    away: bool = False

    async def execute_command(self, command: CommandRequest[T]) -> T:
        """Every command comes by here."""
        pauses = iter(PAUSES_S)
        until = trio.current_time() + PATIENCE_S
        while True:
            try:
                # One that waits for news has a connection of its own.
                async with nullcontext() if command.blocking else self.at_once:
                    answer = await super().execute_command(command)
            except (RedisError, TimeoutError, *CLOSED) as error:
                if not isinstance(error, CLOSED):
                    raise_if_final(error)
                pause_s = next(pauses, PAUSES_S[-1])
                if pause_s == PAUSES_S[-1]:
                    self._tell(away=True)
                if trio.current_time() + pause_s > until:
                    raise QueueUnavailable from error
            else:
                self._tell(away=False)
                return answer
            await trio.sleep(pause_s)

    def _tell(self, *, away: bool) -> None:
        """Log that the server does not answer, and that it does again: each once."""
        if away != self.away:
            self.away = away
            log.warning("the queue's server %s", "does not answer" if away else "answers again")


def raise_if_final(error: RedisError | TimeoutError) -> None:
    """Raise what will be no better in a minute, in words for people where there are some."""
    words = str(error)
    if isinstance(error, AuthenticationError):
        message = "The queue's server refuses the name or password in QUEUE_URL"
        raise QueueRefused(message) from error
    if isinstance(error.__cause__, SSLCertVerificationError):
        log.error("the certificate of the queue's server: %s", error.__cause__.verify_message)
        message = "The queue's server has no certificate that is right for QUEUE_URL"
        raise QueueRefused(message) from error
    if words.startswith("OOM"):
        log.error("the queue's server has no memory left")
        raise Busy("The queue has no room left; try again later", retry_after_s=60.0) from error
    passes = isinstance(error, (ConnectionError, ReadOnlyError, TimeoutError))
    if not passes and not (isinstance(error, ResponseError) and words.startswith(PASSING)):
        raise error


def open_client(url: str) -> Client:
    """A client of the server at an address; not open yet."""
    # It tells each attempt to connect with a traceback; we tell what becomes of them.
    logging.getLogger("coredis").setLevel(logging.CRITICAL)
    made = Client.from_url(
        url,
        retry_policy=NoRetryPolicy(),
        verify_version=False,
        decode_components=True,
        max_connections=PLACES,
        connect_timeout=5,
        stream_timeout=SILENCE_S,
        max_idle_time=SILENCE_S,
    )
    pool = made.connection_pool
    unix = issubclass(pool.connection_class, UnixDomainSocketConnection)
    pool.connection_class = ClosingUnix if unix else ClosingTcp
    client = cast("Client", made)  # its types name the class that it began with
    client.at_once = trio.CapacityLimiter(AT_ONCE_MAX)
    return client
