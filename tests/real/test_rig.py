"""The rig itself: what is ordered happens, and only that."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import trio

from tests.real import process, sounds
from tests.real.rig import serving_fake

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

    from tests.real.rig import Rig

pytestmark = [pytest.mark.real, pytest.mark.timeout(120)]


async def test_a_call_is_held_until_it_is_let_go(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    rig.order("engine.advance", "hold")
    answers: list[httpx.Response] = []
    with serving_fake(environment, log, rig) as server:
        async with process.client(server.url) as client, trio.open_nursery() as nursery:

            async def ask() -> None:
                files = process.upload(sounds.JFK)
                answers.append(await client.post("/asr?output=txt", files=files, timeout=30))

            nursery.start_soon(ask)
            await rig.held("engine.advance")
            assert await process.in_flight(client) == 1
            rig.lift("engine.advance")
    assert [(answer.status_code, answer.text) for answer in answers] == [(200, "word\n")]
