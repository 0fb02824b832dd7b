"""The way to the Redis or Valkey that machines share: connections that outlive trouble.

coredis is imported with the first connection, not before: who has one machine needs neither.
"""

from __future__ import annotations

import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import trio

from asr.pipeline.errors import AsrError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from asr.actors.jobs.redis.pool import Client as Client


log = logging.getLogger(__name__)


class NoClient(AsrError):
    """What speaks to the queue's server is not installed."""

    def __init__(self) -> None:
        super().__init__("QUEUE_URL needs more packages: install asr-service[cluster]")


class QueueRefused(AsrError):
    """The queue's server is not for us, or QUEUE_URL is wrong: trying again would not help."""


@asynccontextmanager
async def connect(url: str) -> AsyncIterator[Client]:
    """A client of the server at ``redis://``, ``rediss://`` or ``unix://``, as long as the context.

    Each command is tried again for a minute, and is QueueUnavailable then. The connections outlive
    the body of the context, whatever ends it, so that a goodbye under a shield is still heard.
    """
    client = client_of(url)
    failed: Exception | None = None
    async with trio.open_nursery() as nursery:
        over = trio.Event()
        await nursery.start(_hold, client, over)
        try:
            yield client
        except Exception as error:  # it leaves as it is, and not in a group
            failed = error
        finally:
            over.set()
    if failed is not None:
        raise failed


async def look_after(client: Client) -> None:
    """Log what the server would do to jobs that it should not."""
    from coredis.exceptions import RedisError

    try:
        said = await client.config_get(["appendonly", "maxmemory", "maxmemory-policy"])
    except RedisError:  # who rents a server may not ask that
        return
    how = {_text(name): _text(value) for name, value in said.items()}
    if how.get("appendonly") == "no":
        log.warning("the queue's server forgets all jobs when it ends: appendonly is no")
    if how.get("maxmemory") != "0" and how.get("maxmemory-policy") != "noeviction":
        log.warning("the queue's server may throw jobs away: maxmemory-policy is not noeviction")


def _text(word: str | bytes) -> str:
    return word.decode() if isinstance(word, bytes) else word


async def _hold(client: Client, over: trio.Event, *, task_status: trio.TaskStatus[None]) -> None:
    """Keep the pool open until the body is over, in a task of its own that nothing else cancels."""
    with trio.CancelScope(shield=True):
        async with client:
            task_status.started()
            await over.wait()


def client_of(url: str) -> Client:
    """A client that is not open yet. Raises NoClient, or QueueRefused for what is no address."""
    try:
        from asr.actors.jobs.redis.pool import open_client
    except ImportError as error:
        raise NoClient from error
    address = strict(url)
    if address is None:  # what is wrong may be in the password: so it is not repeated
        raise QueueRefused("QUEUE_URL has to be redis://, rediss:// or unix://, and an address")
    try:
        return open_client(address)
    except (KeyError, OSError, ValueError) as error:
        raise QueueRefused("What QUEUE_URL says after its ? cannot be used") from error


def strict(url: str) -> str | None:
    """The address; where it says nothing else, a server with TLS must prove whose it is.

    coredis would believe any certificate of a known authority, whatever name it is for. None: that
    is no address.
    """
    try:
        parts = urlsplit(url)
        named = parts.hostname and parts.port != 0
    except ValueError:
        return None
    if parts.scheme not in ("redis", "rediss"):
        return url if parts.scheme == "unix" and parts.path else None
    if not named or parts.scheme == "redis":
        return url if named else None
    said = parse_qs(parts.query)
    wanted = {"ssl_cert_reqs": "required"}
    if said.get("ssl_cert_reqs") != ["none"]:
        wanted["ssl_check_hostname"] = "true"
    added = "&".join(f"{name}={value}" for name, value in wanted.items() if name not in said)
    return parts._replace(query="&".join(filter(None, (parts.query, added)))).geturl()
