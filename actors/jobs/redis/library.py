"""The functions of the queue, in the server: loaded where they are not, and called by name."""

from __future__ import annotations

from hashlib import sha256
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from asr.actors.jobs.redis.client import QueueRefused

if TYPE_CHECKING:
    from asr.actors.jobs.redis.pool import Client

TEXTS = ("functions.lua", "workers.lua", "questions.lua", "keep.lua", "names.lua")  # in this order

LIBRARY = "asr_jobs_"  # and its version: that of its text


class Library:
    """The functions of the queue, for one of them."""

    def __init__(self, client: Client, queue: str) -> None:
        room = files("asr.actors.jobs.redis")
        text = "".join(room.joinpath(name).read_text(encoding="utf-8") for name in TEXTS)
        self._name = LIBRARY + sha256(text.encode()).hexdigest()[:10]
        self._code = text.replace("VERSION", self._name)
        self._client = client
        self._keys = (f"asr:{{{queue}}}",)

    @property
    def prefix(self) -> str:
        """How all keys of this queue begin."""
        return f"{self._keys[0]}:"

    async def load(self) -> None:
        """Bring the functions, and take those of other versions away.

        A process of another version that is still there brings its own back. Raises QueueRefused.
        """
        from coredis.exceptions import UnknownCommandError

        try:
            await self._client.function_load(self._code, replace=True)
        except UnknownCommandError as error:
            raise QueueRefused("The queue wants a server of Redis 7, Valkey 7, or later") from error
        for library in await self._client.function_list(f"{LIBRARY}*"):
            name = library.decode() if isinstance(library, bytes) else str(library)
            if name != self._name:
                await self._client.function_delete(name)

    async def call(self, function: str, *arguments: str | bytes | float) -> Any:
        """What a function returns. Raises QueueUnavailable, and Busy when the server is full."""
        from coredis.exceptions import ResponseError

        name = f"{self._name}_{function}"
        # coredis would round what is a float: times would not be the same that came from there.
        words = [repr(word) if isinstance(word, float) else word for word in arguments]
        try:
            return await self._client.fcall(name, self._keys, words)
        except ResponseError as error:
            if "Function not found" not in str(error):
                raise
        # The server was started again without its disk, or belongs to another version of us too.
        await self._client.function_load(self._code, replace=True)
        return await self._client.fcall(name, self._keys, words)
