"""What people choose, paste and type on the page at / does what they meant, and nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import trio

from tests.real import process
from tests.real.rig import Rig, serving_fake
from tests.real.test_page_jobs import LOOK
from tests.real.visitor import IN_CHROMIUM, PATIENCE_S, kept, visiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.real.visitor import Visitor

pytestmark = IN_CHROMIUM

KEY = "open-sesame"
NAME = "talk.wav"
NOT_NOW = "dialog button[type=button]"
MODEL = "document.querySelector('#options [name=model]').value"
# As a table pastes: its text, and a picture of it.
PASTE = """(selector) => {
    const clipboardData = new DataTransfer();
    clipboardData.setData("text/plain", "a table");
    clipboardData.items.add(new File(["png"], "image.png", { type: "image/png" }));
    const event = new ClipboardEvent("paste", { clipboardData, bubbles: true });
    document.querySelector(selector).dispatchEvent(event);
}"""
# A microphone that the person has not allowed yet, and who asks for it.
MICROPHONE = """{
    globalThis.asked = 0;
    navigator.mediaDevices.getUserMedia = () => {
        asked += 1;
        return new Promise((_, reject) => (globalThis.refuse = () => reject(new Error())));
    };
}"""
# A server that cannot be reached until ``fetch`` is ``there`` again.
AWAY = "[globalThis.there, globalThis.fetch] = [fetch, () => Promise.reject(new TypeError())];"
# Two seconds of silence.
SILENCE = """(async (id) => {
    const wav = new DataView(new ArrayBuffer(44 + 32000));
    const text = (at, word) => [...word].forEach((c, i) => wav.setUint8(at + i, c.charCodeAt(0)));
    text(0, "RIFF"); text(8, "WAVEfmt "); text(36, "data");
    for (const [at, value] of [[4, 32036], [16, 16], [24, 8000], [28, 16000], [40, 32000]])
        wav.setUint32(at, value, true);
    for (const [at, value] of [[20, 1], [22, 1], [32, 2], [34, 16]]) wav.setUint16(at, value, true);
    const { Kept } = await import("./page/kept.js");
    await new Kept().putAudio(id, new Blob([wav], { type: "audio/wav" }));
})"""
# A server that tells of its jobs once ``answer`` is called.
LATE_JOBS = """{
    const ask = fetch;
    globalThis.fetch = async (path, init) => {
        if (String(path).includes("v1/jobs"))
            await new Promise((resolve) => (globalThis.answer = resolve));
        return ask(path, init);
    };
}"""
# Counts what the Server view asks for every now and then.
LOOKS = """{
    const ask = fetch;
    globalThis.looks = 0;
    globalThis.fetch = async (path, init) => {
        const answer = await ask(path, init);
        if (path === "metrics") looks += 1;
        return answer;
    };
}"""


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, orders: Rig) -> Iterator[process.Server]:
    with serving_fake(environment, log, orders) as server:
        yield server


@pytest.fixture(scope="module")
def locked(
    environment: dict[str, str], log: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[process.Server]:
    rig = Rig(tmp_path_factory.mktemp("locked"))
    with serving_fake(environment, log, rig, API_KEYS=KEY) as server:
        yield server


@pytest.fixture
async def visitor(server: process.Server, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting(server.url, tmp_path / "profile") as visitor:
        await visitor.tab.seen("option[value=base]")
        yield visitor


@pytest.fixture
async def stranger(locked: process.Server, tmp_path: Path) -> AsyncIterator[Visitor]:
    """Somebody at a server that asks for a key."""
    async with visiting(locked.url, tmp_path / "profile") as visitor:
        await visitor.tab.seen("#key-reason")
        yield visitor


async def test_what_is_pasted_as_text_is_no_recording(visitor: Visitor) -> None:
    await visitor.has_kept(kept(NAME, 1, "one"))
    await visitor.look_at(NAME)
    await visitor.tab.click(".line .correct")
    await visitor.tab.run(f"({PASTE})('.line textarea')")
    assert await visitor.tab.run("document.querySelector('.line textarea') !== null")
    assert await visitor.tab.run("document.querySelectorAll('#shelf li').length") == 1
    await visitor.tab.run(f"({PASTE})('body')")  # a file all the same, where nobody writes
    await visitor.tab.until("document.querySelectorAll('#shelf li').length === 2")


async def test_a_file_says_what_language_it_is_and_offers_only_what_it_can(
    visitor: Visitor, tmp_path: Path
) -> None:
    tab = visitor.tab
    await tab.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    await visitor.has_kept(kept(NAME, 1, "eins", "zwei"))
    await visitor.look_at(NAME)
    await tab.click("#download")
    offered = "document.querySelector('dialog [name=speakers]').checkVisibility()"
    await tab.click("dialog [value=tsv]")
    assert not await tab.run(offered)
    await tab.click("dialog [value=srt]")
    assert await tab.run(offered)
    await tab.run("document.querySelector('[name=max_line_width]').value = 3")  # too few
    await tab.click("dialog [value=verbose_json]")
    await tab.click("dialog .primary")
    await tab.until("document.querySelector('dialog') === null")
    target = trio.Path(tmp_path / "talk.json")
    await process.until(target.exists, within_s=PATIENCE_S)
    assert json.loads(await target.read_text())["language_code"] == "de"


async def test_another_recording_begins_at_its_beginning(visitor: Visitor) -> None:
    tab = visitor.tab
    place = "document.querySelector('.wave-box').getAttribute('aria-valuenow')"
    await tab.run(f"{SILENCE}('talk')")
    await visitor.has_kept(kept(NAME, 2, "one", "two"), kept("other.wav", 1, "one"))
    await visitor.look_at(NAME)
    await tab.until("!document.querySelector('.round').disabled")
    await tab.run("document.querySelectorAll('.stamp')[1].click()")
    await tab.until(f"{place} === '1'")
    await visitor.look_at("other.wav")
    assert await tab.run(place) == "0"
    assert await visitor.reads(".clock") == "0:00 / 1:00"


async def test_the_model_that_is_chosen_is_remembered_while_the_server_is_away(
    visitor: Visitor,
) -> None:
    tab = visitor.tab
    await visitor.choose(model="base")
    await visitor.come()
    await tab.until(f"{MODEL} === 'base'")
    away = await tab.ask("Page.addScriptToEvaluateOnNewDocument", source=AWAY)
    await visitor.come()
    await tab.until("!document.querySelector('#trouble').hidden")
    await visitor.choose(language="de")
    assert await tab.run(MODEL) == ""
    await tab.ask("Page.removeScriptToEvaluateOnNewDocument", **away)
    await tab.run("{ globalThis.fetch = there; }")
    await tab.until(f"{MODEL} === 'base'")
    await visitor.come()
    await tab.until(f"{MODEL} === 'base'")


async def test_a_model_that_was_chosen_is_sent_also_while_none_are_offered(
    visitor: Visitor,
) -> None:
    await visitor.choose(model="base")
    await visitor.tab.run("document.querySelector('#options [name=model]').replaceChildren()")
    read = """(async () => {
        const { Options } = await import("./page/options.js");
        return new Options().read().model;
    })()"""
    assert await visitor.tab.run(read) == "base"


async def test_a_dialog_does_not_outlast_the_view_that_it_is_of(visitor: Visitor) -> None:
    await visitor.has_kept(kept(NAME, 1, "one"))
    await visitor.look_at(NAME)
    await visitor.tab.click("#download")
    await visitor.tab.seen("dialog[open]")
    await visitor.tab.run("location.hash = '#/'")
    await visitor.tab.until("document.querySelector('dialog') === null")


async def test_what_is_being_written_is_kept_before_the_page_is_left(visitor: Visitor) -> None:
    tab = visitor.tab
    leaves = "dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    await visitor.has_kept(kept(NAME, 1, "one"))
    await visitor.look_at(NAME)
    await tab.click(".line .correct")
    assert await tab.run(leaves)  # nothing was changed
    await tab.click(".line .correct")
    await tab.run("document.querySelector('.line textarea').value = 'two'")
    assert not await tab.run(leaves)
    assert await visitor.words() == "two"


async def test_the_microphone_is_asked_for_once(visitor: Visitor) -> None:
    tab = visitor.tab
    await tab.run(MICROPHONE)
    for _ in range(2):
        await tab.click("#record")
    assert await tab.run("asked") == 1
    await tab.run("refuse()")
    await tab.until("document.querySelector('#drop-error').innerText")
    await tab.click("#record")
    assert await tab.run("asked") == 2


async def test_who_does_not_give_a_key_now_is_left_alone(stranger: Visitor) -> None:
    tab = stranger.tab
    await tab.run(LOOKS)
    await tab.run(LATE_JOBS)
    await tab.run(LOOK)
    await tab.click(NOT_NOW)
    await tab.until("globalThis.answer && document.querySelector('dialog') === null")
    await tab.run("location.hash = '#/server'")
    await tab.seen("#key-reason")  # for the models; once
    await tab.click(NOT_NOW)
    await tab.until("document.querySelector('dialog') === null")
    await tab.run("answer()")
    await tab.run("looks = 0")
    await tab.until("looks === 2")
    assert await tab.run("document.querySelector('dialog') === null")


async def test_a_key_that_cannot_be_sent_is_refused_and_one_that_is_kept_can_be_forgotten(
    stranger: Visitor,
) -> None:
    tab = stranger.tab
    await tab.write("“open-sesame”")
    await tab.click("dialog .primary")
    assert "ASCII" in await tab.until("document.querySelector('#key').validationMessage")
    await tab.run("localStorage.setItem('asr.key', JSON.stringify('“kept”'))")
    await stranger.come()
    await tab.seen("#key-reason")
    await tab.write(KEY)
    await tab.click("dialog [name=keep]")
    await tab.click("dialog .primary")
    await tab.seen("option[value=base]")
    await tab.run("location.hash = '#/server'")
    await tab.seen(".models li")
    await tab.click("#server > p button")
    await tab.seen("#key-reason")
    assert await tab.run("localStorage.getItem('asr.key')") is None
