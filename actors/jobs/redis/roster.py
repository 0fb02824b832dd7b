"""Who works for a queue: each worker says so again and again, and is gone when it does not."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from asr.actors.jobs.redis.client import Client

# By the server's clock: those of workers may be wrong.
BEAT = """#!lua flags=allow-oom
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1])
"""

LIVING = """
local dead = redis.call('ZRANGEBYSCORE', KEYS[2], 0, redis.call('TIME')[1] - ARGV[1])
for _, name in ipairs(dead) do
  redis.call('HDEL', KEYS[1], name)
  redis.call('ZREM', KEYS[2], name)
end
return redis.call('HVALS', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A process that does jobs: ``slots`` at once, of which it is ``busy`` with so many.

    ``models`` are the lanes that it takes jobs of; none: all. ``loaded`` are those in its memory.
    """

    name: str
    device: str
    models: tuple[str, ...] = ()
    loaded: tuple[str, ...] = ()
    slots: int = 1
    busy: int = 0
    compute_type: str = ""


class Roster(Protocol):
    """Where workers say that they are there. Raises QueueUnavailable."""

    async def beat(self, worker: WorkerProcess) -> None:
        """This worker is there, and like this."""
        ...

    async def workers(self) -> tuple[WorkerProcess, ...]:
        """Those that were heard of lately, by name."""
        ...

    async def leave(self, name: str) -> None:
        """This worker ends."""
        ...


class RedisRoster:
    """A roster in Redis; who was not heard of for ``lease_s`` is not there any more."""

    def __init__(self, client: Client, *, lease_s: float, name: str = "jobs") -> None:
        self._client = client
        self._lease_s = lease_s
        self._keys = (f"asr:{{{name}}}:workers", f"asr:{{{name}}}:workers:beats")

    async def beat(self, worker: WorkerProcess) -> None:
        """This worker is there: see ``Roster``."""
        await self._client.eval(BEAT, self._keys, (worker.name, json.dumps(asdict(worker))))

    async def workers(self) -> tuple[WorkerProcess, ...]:
        """Those that are there: see ``Roster``."""
        said = await self._client.eval(LIVING, self._keys, (str(self._lease_s),))
        assert isinstance(said, list)
        return tuple(sorted((_read(one) for one in said), key=lambda worker: worker.name))

    async def leave(self, name: str) -> None:
        """This worker ends."""
        await self._client.hdel(self._keys[0], (name,))
        await self._client.zrem(self._keys[1], (name,))


def _read(said: object) -> WorkerProcess:
    assert isinstance(said, bytes)
    plain = json.loads(said)
    lists = {name: tuple(plain[name]) for name in ("models", "loaded")}
    return WorkerProcess(**{**plain, **lists})
