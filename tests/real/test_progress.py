"""Who watches a request of the real process hears its place, sees its audio, and may leave."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

from tests.real import process, sounds
from tests.real.rig import serving_fake

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.rig import Rig

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]

PATH = "/v1/audio/transcriptions"
WISH = {"stream": "true", "progress": "true", "timestamp_granularities[]": "word"}


class Visitor:
    """Somebody who watches a request; ``events`` are what came so far, ``scope`` ends the visit."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.events: list[dict[str, Any]] = []
        self.scope = trio.CancelScope()
        self._client = client

    async def visit(self) -> None:
        files = process.upload(sounds.JFK, field="file")
        with self.scope:
            async with self._client.stream("POST", PATH, files=files, data=WISH) as answer:
                assert answer.status_code == 200
                async for line in answer.aiter_lines():
                    if line.startswith("data: {"):
                        self.events.append(json.loads(line.removeprefix("data: ")))

    async def heard(self, **wanted: Any) -> None:
        """Return when an event says so."""

        async def said() -> bool:
            return any(wanted.items() <= event.items() for event in self.events)

        await process.until(said, within_s=30)

    @property
    def places(self) -> list[int]:
        return [event["place"] for event in self.events if event.get("place")]


async def test_places_move_up_when_somebody_leaves_and_all_is_told_to_the_end(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    rig.order("engine.advance", "hold")
    with serving_fake(environment, log, rig, GPU_CONCURRENCY="1") as server:
        async with (
            httpx.AsyncClient(base_url=server.url, timeout=200) as client,
            trio.open_nursery() as nursery,
        ):
            first, leaver, last = (Visitor(client) for _ in range(3))
            nursery.start_soon(first.visit)
            await first.heard(state="transcribing", audio_s=11.0)
            await rig.held("engine.advance")
            nursery.start_soon(leaver.visit)
            await leaver.heard(state="queued", place=1)
            nursery.start_soon(last.visit)
            await last.heard(state="queued", place=2)
            leaver.scope.cancel()
            await last.heard(state="queued", place=1)
            rig.lift("engine.advance")
            for visitor in (first, last):
                await visitor.heard(type="transcript.text.done", text="word")
        assert (first.places, leaver.places, last.places) == ([], [1], [2, 1])
        (picture,) = (e for e in last.events if e["type"] == "transcript.waveform")
        assert max(picture["peaks"]) > 50
        assert len(picture["peaks"]) > 1900
        steps = [event for event in last.events if event.get("state") == "transcribing"]
        assert (steps[0]["done_s"], steps[-1]["left_s"]) == (0, 0)
        assert server.scratch() == []
