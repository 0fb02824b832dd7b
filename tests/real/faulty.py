"""What tests ask a server that is in trouble, and what it says of itself."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import trio

from tests.real import process, sounds

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@dataclass(frozen=True)
class Caller:
    """Somebody who sends requests to one server and reads what it says of itself."""

    client: httpx.AsyncClient

    async def ask(self, query: str = "output=txt", *, file: Path = sounds.JFK) -> httpx.Response:
        """The answer to one request."""
        return await self.client.post(f"/asr?{query}", files=process.upload(file))

    async def ask_beside(self, count: int) -> list[httpx.Response]:
        """The answers to so many requests at once."""
        answers: list[httpx.Response] = []

        async def one() -> None:
            answers.append(await self.ask())

        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(one)
        return answers

    async def upload_half(self) -> None:
        """Begin a request and do not go on: a server that drains waits for it a while."""

        async def body() -> AsyncIterator[bytes]:
            yield b'--x\r\nContent-Disposition: form-data; name="audio_file"\r\n\r\nsound'
            await trio.sleep_forever()

        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        await self.client.post("/asr", content=body(), headers=kind)

    async def health(self) -> tuple[int, dict[str, Any]]:
        answer = await self.client.get("/health")
        return answer.status_code, answer.json()

    async def count(self, metric: str) -> float:
        """The value of a metric, labels and all; 0 if it has none yet."""
        lines = (await self.client.get("/metrics")).text.splitlines()
        values = [line.rpartition(" ")[2] for line in lines if line.startswith(f"{metric} ")]
        return float(values[0]) if values else 0.0

    async def until_count(self, metric: str, value: float) -> None:
        """Return once a metric has that value."""

        async def there() -> bool:
            return await self.count(metric) == value

        await process.until(there, within_s=30)


@asynccontextmanager
async def caller(server: process.Server) -> AsyncIterator[Caller]:
    async with httpx.AsyncClient(base_url=server.url, timeout=200) as client:
        yield Caller(client)


def restarts(actor: str) -> str:
    return f'asr_restarts_total{{actor="{actor}"}}'


def up(actor: str) -> str:
    return f'asr_actor_up{{actor="{actor}"}}'
