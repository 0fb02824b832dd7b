"""What people have corrected and named on the page at / is kept, where it belongs, or they know."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from tests.real import sounds
from tests.real.visitor import IN_CHROMIUM, kept, visiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.real.process import Server
    from tests.real.rig import Rig
    from tests.real.visitor import Visitor

pytestmark = IN_CHROMIUM

STEP = "engine.advance"
FIRST, SECOND = "first.wav", "second.wav"
SAID = "[...{}.document.querySelectorAll('p.said')].map(p => p.textContent.trim()).join()"
HERE = SAID.format("window")
TOLD = "document.querySelector('#announcer').innerText"
WRONG = "document.querySelector('.sound [role=alert]').innerText"
FOCUS = "(document.activeElement.ariaLabel ?? document.activeElement.id)"
WRITE = """(page, at, text) => {
    page.document.querySelectorAll(".line .correct")[at].click();
    const field = page.document.querySelector(".line textarea");
    field.value = text;
    field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
}"""
RENAME = """(page, name) => {
    page.document.querySelector(".speakers .who").click();
    page.document.querySelector("dialog [name=name]").value = name;
    page.document.querySelector("dialog .primary").click();
}"""


@pytest.fixture
async def visitor(jobs_server: Server, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with reading(jobs_server.url, tmp_path / "profile") as visitor:
        yield visitor


@asynccontextmanager
async def reading(url: str, profile: Path) -> AsyncIterator[Visitor]:
    """Somebody who has two transcripts of another time, and reads one of them."""
    async with visiting(url, profile) as visitor:
        await visitor.has_kept(kept(FIRST, 2, "one", "two", "one", "two"), kept(SECOND, 1, "solo"))
        await visitor.look_at(FIRST)
        yield visitor


async def read_again(visitor: Visitor) -> str:
    """The first transcript, as it is kept."""
    await visitor.come()
    await visitor.look_at(FIRST)
    said: str = await visitor.tab.run(HERE)
    return said


@pytest.mark.parametrize("away", ["history.back()", "location.hash = '#/r/second'"])
async def test_a_correction_that_is_left_open_is_kept_where_it_belongs(
    visitor: Visitor, away: str
) -> None:
    tab = visitor.tab
    await visitor.look_at(SECOND)
    await visitor.look_at(FIRST)
    await tab.click(".line .correct")
    await tab.write(" and more")
    await tab.run(f"{{ {away}; }}")
    await tab.until(f"document.querySelector('#reader-title').textContent === '{SECOND}'")
    assert await tab.run(HERE) == "solo"
    assert await read_again(visitor) == "one and more,two,one,two"
    await visitor.look_at(SECOND)
    assert await tab.run(HERE) == "solo"
    visitor.finds_nothing_wrong()


FULL = """{
    globalThis.put = IDBObjectStore.prototype.put;
    IDBObjectStore.prototype.put = function () { this.transaction.abort(); };
}"""
CLOSED = """{
    const begin = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...about) {
        IDBDatabase.prototype.transaction = begin;
        this.close();
        return begin.apply(this, about);
    };
}"""


async def test_what_cannot_be_kept_is_said_until_it_can(visitor: Visitor) -> None:
    tab = visitor.tab
    await tab.run(FULL)
    await tab.run(f"({WRITE})(window, 0, 'ONE')")
    assert "save the transcript" in await tab.until(WRONG)
    assert await tab.run(TOLD) == ""
    assert await tab.run(HERE) == "ONE,two,one,two"
    await tab.run("{ IDBObjectStore.prototype.put = put; }")
    await tab.run(CLOSED)
    await tab.run(f"({WRITE})(window, 1, 'TWO')")
    await tab.until(f"{TOLD} === 'Corrected'")
    assert await tab.run(WRONG) == ""
    assert await read_again(visitor) == "ONE,TWO,one,two"


async def test_who_corrects_what_is_found_goes_on_from_there(visitor: Visitor) -> None:
    tab = visitor.tab
    await visitor.has_kept(kept(FIRST, 2, *["a hit"] * 5))
    await visitor.look_at(FIRST)
    await tab.run("document.querySelector('.search input').focus()")
    await tab.write("hit")
    for _ in range(2):
        await tab.press("Enter")
    assert await visitor.reads(".search output") == "3 of 5"
    await tab.run(f"({WRITE})(window, 2, 'the hit')")
    assert await visitor.reads(".search output") == "3 of 5"
    await tab.run(f"({WRITE})(window, 2, 'nothing')")
    assert await visitor.reads(".search output") == "4 found"
    await tab.run("document.querySelector('.search input').focus()")
    await tab.press("Enter")
    assert await visitor.reads(".search output") == "3 of 4"


async def test_the_focus_stays_where_it_was_when_somebody_is_renamed(visitor: Visitor) -> None:
    tab = visitor.tab
    for button in (".speakers .who:last-child", ".lines .turn:nth-of-type(3) .who"):
        await tab.run(f"document.querySelector('{button}').focus()")
        await tab.press("Enter")
        await tab.until("document.querySelector('dialog')")
        await tab.write("Ada")
        await tab.press("Enter")
        await tab.until("document.querySelector('dialog') === null")
        await tab.until(f"{TOLD} === 'Renamed to Ada'")
        assert await tab.run(f"document.activeElement.matches('{button}')")
        assert await tab.run(FOCUS) == "Ada, rename"
        await tab.run("document.querySelector('#announcer').replaceChildren()")


@pytest.mark.parametrize("more", ["", " more"])
async def test_the_focus_goes_from_a_passage_to_what_is_beside_it(
    visitor: Visitor, more: str
) -> None:
    tab = visitor.tab
    await tab.click(".line .correct")
    await tab.write(more)
    await tab.run("document.querySelector('.line .stamp').focus()")
    assert await tab.run(FOCUS) == "0:00, go there"
    assert await tab.run(HERE) == f"one{more},two,one,two"


async def test_the_focus_stays_on_cancel_until_there_is_nothing_to_cancel(
    visitor: Visitor, orders: Rig
) -> None:
    tab = visitor.tab
    await visitor.come("#/")
    await tab.until("!document.querySelector('#leave').hidden")
    await visitor.stays()
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK)
    await tab.until("document.querySelector('#reader .state button')")
    await tab.run("document.querySelector('#reader .state button').focus()")
    await orders.held(STEP)
    await tab.until("document.querySelector('#reader .state p')?.innerText.startsWith('Trans')")
    assert await tab.run("document.activeElement.innerText") == "Cancel"
    await tab.press("Enter")
    await tab.until("document.activeElement.innerText === 'Send again'")
    orders.lift(STEP)
    await tab.press("Enter")
    assert await visitor.ended(sounds.JFK.name) == "done"
    assert await tab.run(FOCUS) == "reader-title"


async def test_who_cancels_one_of_the_list_is_still_there(visitor: Visitor, orders: Rig) -> None:
    tab = visitor.tab
    await visitor.come("#/")
    await tab.until("!document.querySelector('#leave').hidden")
    await visitor.stays()
    orders.order(STEP, "hold")
    await visitor.give(sounds.GERMAN, sounds.JFK)
    await orders.held(STEP)
    await tab.run("document.querySelector('#shelf li[data-state=waiting] .cancel').focus()")
    await tab.press("Enter")
    assert await visitor.ended(sounds.JFK.name) == "cancelled"
    assert (await tab.run("document.activeElement.innerText")).startswith(sounds.JFK.name)
    orders.lift(STEP)
    assert await visitor.ended(sounds.GERMAN.name) == "done"
