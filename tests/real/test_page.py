"""The page at / in a real browser, with a real model: what people do with a recording."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pysubs2
import pytest
import trio

from tests.real import process, sounds
from tests.real.browser import browsing
from tests.real.rig import Rig, rigged
from tests.real.visitor import IN_CHROMIUM, PATIENCE_S, Visitor, visiting

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.real.browser import Tab

pytestmark = IN_CHROMIUM

TWO = sounds.RECORDINGS / "two-people.flac"
VOICES = "diarizer.begin"
GROWN = "document.querySelector('p.growing')?.innerText"
NOW = "(document.querySelector('.word.now')?.innerText ?? '')"
PLACE = "document.querySelector('.wave-box').getAttribute('aria-valuenow')"


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, orders: Rig) -> Iterator[process.Server]:
    program = rigged(orders, engine="real")
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, program, PRELOAD_MODEL="tiny.en") as server,
    ):
        yield server


@pytest.fixture(scope="module")
def first_visit(
    server: process.Server, orders: Rig, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A browser that keeps a transcript of two people, and what was read before the end of it."""
    profile = tmp_path_factory.mktemp("first")

    async def visit() -> str:
        async with visiting(server.url, profile) as visitor:
            await visitor.choose(model="tiny.en", language="en", speakers="2")
            orders.order(VOICES, "hold")  # the end cannot come before it is known who speaks
            await visitor.give(TWO)
            early: str = await visitor.tab.until(GROWN)
            assert await visitor.reads(".word") == ""
            orders.lift(VOICES)
            assert await visitor.ended(TWO.name) == "done"
            visitor.finds_nothing_wrong()
            return early

    return profile, trio.run(visit)


@pytest.fixture
def profile(first_visit: tuple[Path, str], tmp_path: Path) -> Path:
    """That browser again, for this test alone."""
    locks = shutil.ignore_patterns("Singleton*", "*.lock")
    return shutil.copytree(first_visit[0], tmp_path / "profile", ignore=locks)


async def test_the_text_grows_and_is_kept_with_who_says_it(
    first_visit: tuple[Path, str], server: process.Server, profile: Path
) -> None:
    assert "Dashwood" in first_visit[1]
    async with visiting(server.url, profile) as visitor:
        await visitor.look_at(TWO.name)
        assert "ask not what your country can do for you" in await visitor.words()
        assert await visitor.reads(".speakers") == "A Speaker A B Speaker B"
        without = "p.innerText && !p.querySelector('.word')"
        passages = f"[...document.querySelectorAll('p.said')].filter(p => {without}).length"
        assert await visitor.tab.run(passages) == 0  # everything has its times
        turns = (
            "[...document.querySelectorAll('.turn')].map(turn => turn.innerText.at(-1)).join('')"
        )
        assert (await visitor.tab.run(turns)).startswith("ABAB")
        visitor.finds_nothing_wrong()


async def test_a_word_is_gone_to_and_marked_and_it_plays(
    server: process.Server, profile: Path
) -> None:
    async with visiting(server.url, profile) as visitor:
        tab = visitor.tab
        await visitor.look_at(TWO.name)
        assert await tab.until("!document.querySelector('.round').disabled")
        word = (
            "[...document.querySelectorAll('.word')].find(w => w.innerText.startsWith('country'))"
        )
        start = float(await tab.run(f"{word}.dataset.at"))
        await tab.run(f"({word}.click(), {word}.focus())")
        assert (await tab.until(NOW)).startswith("country")
        assert float(await tab.run(PLACE)) == pytest.approx(start, abs=1)
        await tab.press("ArrowRight")
        await tab.press("Enter")
        await tab.until(f"{NOW} === 'can'")
        await tab.press(" ")
        assert await tab.until("document.querySelector('.round').ariaLabel === 'Pause'")
        await tab.until(f"!['can', ''].includes({NOW})")
        visitor.finds_nothing_wrong()


async def test_what_was_renamed_and_corrected_is_in_the_file_and_there_the_next_time(
    server: process.Server, profile: Path, tmp_path: Path
) -> None:
    async with visiting(server.url, profile) as visitor:
        tab = visitor.tab
        await tab.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
        await visitor.look_at(TWO.name)
        await tab.click(".speakers .who")
        await tab.write("Ada  Lovelace")
        await tab.press("Enter")
        await tab.until("document.querySelector('.speakers').innerText.includes('Ada')")
        await tab.click(".line .correct")
        await tab.write(" And so on.")
        await tab.press("Enter")
        await tab.until("document.querySelector('p.said').innerText.endsWith('on.')")
        subtitles = await downloaded(tab, "srt", tmp_path / "two-people.srt")
        assert subtitles[0].text.startswith("[Ada Lovelace] And Mr. John Dashwood")
        assert subtitles[0].text.endswith("for them. And so on.")
        await visitor.come()
        await visitor.look_at(TWO.name)
        assert await visitor.reads(".turn") == "AL Ada Lovelace"
        assert (await visitor.reads("p.said")).endswith("And so on.")
        visitor.finds_nothing_wrong()


async def downloaded(tab: Tab, format: str, target: Path) -> Any:
    """The subtitles that a person saves."""
    await tab.click("#download")
    await tab.click(f"dialog [value={format}]")
    await tab.click("dialog .primary")
    await tab.until("document.querySelector('dialog') === null")

    async def there() -> bool:
        return await trio.Path(target).exists()  # it has another name until it is whole

    await process.until(there, within_s=PATIENCE_S)
    return pysubs2.load(str(target))


async def test_search_counts_goes_on_and_begins_again(
    server: process.Server, profile: Path
) -> None:
    async with visiting(server.url, profile) as visitor:
        await visitor.look_at(TWO.name)
        await visitor.tab.run("document.querySelector('.search input').focus()")
        await visitor.tab.write("your COUNTRY")
        assert await visitor.reads(".search output") == "1 of 2"
        for place in ("2 of 2", "1 of 2"):
            await visitor.tab.press("Enter")
            assert await visitor.reads(".search output") == place
        await visitor.tab.write(" not")
        assert await visitor.reads(".search output") == "Nothing found"


async def test_what_is_deleted_is_gone_the_next_time(server: process.Server, profile: Path) -> None:
    async with visiting(server.url, profile) as visitor:
        await visitor.look_at(TWO.name)
        await visitor.tab.click("#shelf .forget")
        await visitor.tab.click("dialog .danger")
        await visitor.tab.until("document.querySelector('#shelf li') === null")
        await visitor.come()
        assert await visitor.reads("#shelf-empty") != ""
        assert await visitor.tab.run("document.querySelector('#shelf li')") is None


# Who speaks is heard through this from now on, so that a test can end it.
WIRE = """{
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (what) => (globalThis.wire = await open(what));
}"""


@pytest.mark.parametrize(
    "end",
    ["document.querySelector('#recording-stop').click()", "wire.getTracks()[0].stop()"],
    ids=["stopped", "unplugged"],
)
async def test_what_is_said_into_the_microphone_is_transcribed(
    server: process.Server, tmp_path: Path, end: str
) -> None:
    speech = sounds.as_file(sounds.JFK, tmp_path / "speech.wav", "-ar", "48000")
    microphone = (
        *("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"),
        f"--use-file-for-fake-audio-capture={speech}%noloop",
    )
    async with visiting(server.url, tmp_path / "profile", *microphone) as visitor:
        await visitor.choose(model="tiny.en", language="en")
        await visitor.tab.run(WIRE)
        await visitor.tab.click("#record")
        await visitor.tab.until("!document.querySelector('#recording').hidden")
        assert await visitor.is_warned()
        await visitor.tab.click("#recording-discard")
        await visitor.tab.until("document.querySelector('#recording').hidden")
        assert not await visitor.is_warned()
        await visitor.tab.click("#record")
        await visitor.tab.until(
            "/0:0[4-9]/.test(document.querySelector('#recording-time').innerText)"
        )
        await visitor.tab.run(end)
        name = await visitor.tab.until("document.querySelector('#shelf .name')?.textContent")
        assert await visitor.ended(name) == "done"
        assert "my fellow america" in await visitor.words()
        visitor.finds_nothing_wrong()


async def test_a_page_that_asks_another_server_would_be_found_out(
    server: process.Server, tmp_path: Path
) -> None:
    async with browsing(tmp_path / "profile") as tab:
        visitor = Visitor(tab, server.url)
        await visitor.come()
        await tab.run("fetch('http://127.0.0.2:9/').catch(() => 0)")
        with pytest.raises(AssertionError):
            visitor.finds_nothing_wrong()
