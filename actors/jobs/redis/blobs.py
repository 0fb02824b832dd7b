"""Audio in the Redis that keeps the queue: for what is small, where there is no other store.

In pieces, as everybody else waits while a server moves a large value. What nobody drops is gone
after ``ttl_s`` by itself.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from asr.actors.jobs.blobs import AudioGone, BlobsFull, checked
from asr.actors.spool import explained
from asr.pipeline.errors import TooLarge

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection
    from contextlib import AbstractContextManager
    from pathlib import Path

    from asr.actors.jobs.redis.client import Client

    Scratch = Callable[[str], AbstractContextManager[Path]]

PIECE_BYTES = 512 << 10

# What is kept in the names' one hash slot: sizes by name, when each was put, and the sum of sizes.
PREFIX = "{asr}:audio"
SIZES, PUT_AT, SUM = f"{PREFIX}:sizes", f"{PREFIX}:put", f"{PREFIX}:bytes"

# By the server's clock: those of machines that sweep may be wrong.
RESERVE = """
local grown = ARGV[2] - (redis.call('HGET', KEYS[1], ARGV[1]) or 0)
if (redis.call('GET', KEYS[3]) or 0) + grown > tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[2], redis.call('TIME')[1], ARGV[1])
redis.call('INCRBY', KEYS[3], grown)
return 1
"""

PUT_BEFORE = """
return redis.call('ZRANGE', KEYS[1], '-inf', redis.call('TIME')[1] - ARGV[1], 'BYSCORE')
"""

RELEASE = """
local size = redis.call('HGET', KEYS[1], ARGV[1])
if not size then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DECRBY', KEYS[3], size)
return tonumber(size)
"""


class RedisBlobs:
    """Files in Redis: see ``Blobs``. The bound of all together is exact, whoever puts them."""

    def __init__(
        self,
        client: Client,
        scratch: Scratch,
        *,
        each_max: int,
        bytes_max: int,
        ttl_s: float,
    ) -> None:
        """``each_max`` is of a file, ``bytes_max`` of all; ``scratch`` makes room for a file."""
        self._client = client
        self._scratch = scratch
        self._each_max = each_max
        self._bytes_max = bytes_max
        self._ttl_s = ttl_s

    async def put(self, key: str, file: Path) -> None:
        """Keep a file: see ``Blobs``. Raises Busy where the server has no memory left, too."""
        size = (await trio.Path(file).stat()).st_size
        if size > self._each_max:
            raise TooLarge.file(self._each_max, param="file")
        arguments = [checked(key), str(size), str(self._bytes_max)]
        try:
            if not await self._client.eval(RESERVE, [SIZES, PUT_AT, SUM], arguments):
                raise BlobsFull
            await self._send(key, file)
        except BlobsFull:
            raise
        except BaseException:  # also where the room was given, and nobody heard so any more
            with trio.move_on_after(1, shield=True):  # what is left is swept some time
                await self.drop(key)
            raise

    async def _send(self, key: str, file: Path) -> None:
        async with await trio.open_file(file, "rb") as source:
            number = 0
            while piece := await source.read(PIECE_BYTES):
                await self._client.set(_piece(key, number), piece, ex=round(self._ttl_s))
                number += 1

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[Path]:
        """A copy of the file. Raises AudioGone, StorageFull, QueueUnavailable."""
        with self._scratch(".audio") as path:
            await self._receive(key, path)
            yield path

    async def _receive(self, key: str, path: Path) -> None:
        size = await self._client.hget(SIZES, checked(key))
        if size is None:
            raise AudioGone
        try:
            async with await trio.open_file(path, "xb") as target:
                for number in range(_pieces(int(size))):
                    piece = await self._client.get(_piece(key, number))
                    if piece is None:
                        raise AudioGone
                    await target.write(piece)
        except OSError as error:
            raise explained(error) from error

    async def drop(self, key: str) -> None:
        """Keep it no more: see ``Blobs``."""
        size = await self._client.hget(SIZES, checked(key))
        for number in range(_pieces(int(size or 0))):
            await self._client.unlink([_piece(key, number)])
        # Last: as long as it is counted it is found again, should this end half way.
        await self._client.eval(RELEASE, [SIZES, PUT_AT, SUM], [key])

    async def sweep(self, keep: Collection[str], *, older_than_s: float) -> None:
        """Drop what is not to be kept: see ``Blobs``."""
        kept = frozenset(keep)
        names = await self._client.eval(PUT_BEFORE, [PUT_AT], [str(older_than_s)])
        assert isinstance(names, list)
        for name in names:
            assert isinstance(name, bytes)
            if (key := name.decode()) not in kept:
                await self.drop(key)

    async def used_bytes(self) -> int:
        """The bytes of all files together."""
        return int(await self._client.get(SUM) or 0)


def _pieces(size: int) -> int:
    return -(-size // PIECE_BYTES)


def _piece(key: str, number: int) -> str:
    return f"{PREFIX}:{key}:{number}"
