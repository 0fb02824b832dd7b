"""The page at / in a real browser, where something is wrong: with a key, a file, or the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real import process, sounds
from tests.real.rig import Rig, serving_fake
from tests.real.visitor import IN_CHROMIUM, visiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.real.visitor import Visitor

pytestmark = IN_CHROMIUM

KEY = "open-sesame"
STEP = "engine.advance"
LURE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, orders: Rig) -> Iterator[process.Server]:
    settings = {"API_KEYS": KEY, "MAX_FILE_SIZE_MB": "1"}
    with serving_fake(environment, log, orders, **settings) as server:
        yield server


@pytest.fixture
async def visitor(server: process.Server, tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody whose browser knows the key from another time."""
    async with visiting(server.url, tmp_path / "profile") as visitor:
        await visitor.tab.run(f"localStorage.setItem('asr.key', JSON.stringify('{KEY}'))")
        await visitor.come()
        await visitor.tab.seen("option[value=base]")
        visitor.tab.events.clear()  # of the time before the key
        yield visitor


async def test_a_key_is_asked_for_until_it_is_right_and_kept_for_who_wants_it(
    server: process.Server, tmp_path: Path
) -> None:
    async with visiting(server.url, tmp_path / "profile") as visitor:
        tab = visitor.tab
        assert "key is required" in await tab.seen("#key-reason")
        await tab.write("wrong")
        await tab.press("Enter")
        await tab.until("document.querySelector('#key-reason')?.innerText.includes('Incorrect')")
        await tab.write(KEY)
        await tab.press("Enter")
        await tab.seen("option[value=base]")
        await visitor.give(sounds.JFK)
        assert await visitor.ended(sounds.JFK.name) == "done"
        assert await visitor.words() == "word"
        await visitor.come()
        await tab.seen("#key-reason")  # nobody asked to keep it
        await tab.write(KEY)
        await tab.click("dialog [name=keep]")
        await tab.click("dialog .primary")
        await tab.seen("option[value=base]")
        await visitor.come()
        await tab.seen("option[value=base]")
        assert await visitor.reads("#key-reason") == ""


async def test_one_that_is_refused_says_why_and_the_next_one_is_done(
    visitor: Visitor, tmp_path: Path
) -> None:
    junk, large = tmp_path / "junk.mp3", tmp_path / "large.wav"
    junk.write_bytes(b"no sound at all " * 100)
    large.write_bytes(bytes(3_000_000))
    await visitor.give(junk, large, sounds.JFK)
    states = [await visitor.ended(file.name) for file in (junk, large, sounds.JFK)]
    assert states == ["failed", "failed", "done"]
    await visitor.look_at(junk.name)
    assert "decode" in await visitor.reads("#reader .state p")
    await visitor.look_at(large.name)
    assert "too large" in (await visitor.reads("#reader .state p")).lower()
    await visitor.look_at(sounds.JFK.name)
    assert await visitor.words() == "word"
    for left in (1, 0):  # of those that are nowhere else, for all that the page knows
        assert await visitor.is_warned()
        failed = "#shelf li[data-state=failed]"
        await visitor.tab.click(f"{failed} .forget")
        await visitor.tab.until(f"document.querySelectorAll('{failed}').length === {left}")
    assert not await visitor.is_warned()


async def test_who_cancels_frees_the_server_and_the_next_one_begins(
    visitor: Visitor, server: process.Server, orders: Rig
) -> None:
    await visitor.stays()
    orders.order(STEP, "hold")
    await visitor.give(sounds.AUSTEN, sounds.JFK)
    await orders.held(STEP)
    waits = "[...document.querySelectorAll('#shelf .what')].at(-1).innerText"
    assert await visitor.tab.run(waits) == "Waits for the one before it"
    await visitor.tab.click("#reader .state button")
    assert await visitor.ended(sounds.AUSTEN.name) == "cancelled"
    orders.lift(STEP)
    assert await visitor.ended(sounds.JFK.name) == "done"
    headers = {"Authorization": f"Bearer {KEY}"}
    async with process.client(server.url, headers=headers) as client:

        async def free() -> bool:
            return await process.in_flight(client) == 0

        await process.until(free)
    visitor.finds_nothing_wrong()


async def test_a_file_that_goes_before_its_turn_is_not_called_a_lost_connection(
    visitor: Visitor, orders: Rig, tmp_path: Path
) -> None:
    moved = tmp_path / "moved.flac"
    moved.write_bytes(sounds.JFK.read_bytes())
    await visitor.stays()
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK, moved)
    await orders.held(STEP)
    moved.rename(tmp_path / "elsewhere.flac")
    orders.lift(STEP)
    assert await visitor.ended(moved.name) == "failed"
    await visitor.look_at(moved.name)
    assert "moved" in await visitor.reads("#reader .state p")


async def test_what_a_file_or_a_person_says_is_only_text(visitor: Visitor, tmp_path: Path) -> None:
    lure = tmp_path / f"{LURE}.flac"
    lure.write_bytes(sounds.JFK.read_bytes())
    await visitor.give(lure)
    assert await visitor.ended(lure.name) == "done"
    await visitor.tab.click(".line .correct")
    await visitor.tab.write(LURE)
    await visitor.tab.press("Enter")
    await visitor.tab.until("document.querySelector('p.said')")
    assert (await visitor.reads("p.said")).endswith(LURE)
    assert await visitor.reads("#reader-title") == lure.name
    assert await visitor.tab.run("document.querySelectorAll('img, script:not([src])').length") == 0
    visitor.finds_nothing_wrong()


async def test_models_are_loaded_and_freed_on_the_server_view(visitor: Visitor) -> None:
    tab = visitor.tab
    await visitor.come("#/server")
    model = ".models [data-model='tiny.en']"
    await tab.click(f"{model}[data-loaded=false] button")
    await tab.click(f"{model}[data-loaded=true] button")
    await tab.seen(f"{model}[data-loaded=false]")
    assert await visitor.reads(".health") == "Healthy, on cpu"
    assert "in work" in await tab.seen(".tally")
    await tab.until("document.querySelectorAll('.chart-line[d]').length === 2")
    visitor.finds_nothing_wrong()


async def test_a_server_that_ends_in_the_middle_can_be_asked_again(
    environment: dict[str, str], log: Path, rig: Rig, tmp_path: Path
) -> None:
    rig.order(STEP, "hold")
    # The next one has them as well.
    settings = {"ASR_JOBS_DIR": str(tmp_path / "jobs"), "PORT": str(process.free_port())}
    with serving_fake(environment, log, rig, **settings) as server:
        async with visiting(server.url, tmp_path / "profile") as visitor:
            await visitor.stays()
            await visitor.give(sounds.JFK)
            await rig.held(STEP)
            server.process.kill()
            server.process.wait()
            assert await visitor.ended(sounds.JFK.name) == "failed"
            assert "restarted" in await visitor.reads("#reader .state p")
            await visitor.tab.until("!document.querySelector('#trouble').hidden")
            rig.lift(STEP)
            with serving_fake(environment, log, rig, **settings):
                await visitor.tab.until("document.querySelector('#trouble').hidden")
                await visitor.tab.click("#reader .state button")
                assert await visitor.ended(sounds.JFK.name) == "done"
                assert await visitor.words() == "word"
