"""The engine that people run, and the networks beside it, in trouble: what they say afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real import process
from tests.real.faulty import caller, restarts
from tests.real.rig import rigged

if TYPE_CHECKING:
    from pathlib import Path

    from tests.real.rig import Rig

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

JFK = "what your country can do for you"


async def test_after_a_crash_and_after_memory_ran_out_the_text_is_the_same(
    environment: dict[str, str], log: Path, rig: Rig
) -> None:
    settings = environment | {"PRELOAD_MODEL": "tiny.en", "ALIGN_DEVICE": "off"}
    program = rigged(rig, engine="real")
    with log.open("ab") as stderr, process.serving(settings, stderr, program) as server:
        async with caller(server) as asking:
            text = (await asking.ask()).text
            assert JFK in text.lower()
            rig.order("engine.advance", "crash")
            answers = await asking.ask_beside(3)
            assert [answer.text for answer in answers] == [text] * 3
            assert await asking.count(restarts("gpu")) == 1
            rig.order("engine.advance", "torn")
            answer = await asking.ask("output=txt&language=en")
            assert answer.status_code == 503  # alone it does not fit
            assert (await asking.ask()).text == text
            status, health = await asking.health()
            assert (status, health["loaded_models"]) == (200, ["tiny.en"])
