"""Two tabs with the page at /: each has what the other does, and none undoes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.real import process, sounds
from tests.real.test_page_kept import (
    FIRST,
    HERE,
    RENAME,
    SAID,
    SECOND,
    STEP,
    TOLD,
    WRITE,
    WRONG,
    read_again,
    reading,
)
from tests.real.visitor import IN_CHROMIUM

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.real.process import Server
    from tests.real.rig import Rig
    from tests.real.visitor import Visitor

pytestmark = IN_CHROMIUM

THERE = SAID.format("other")
ALONE = "BroadcastChannel.prototype.postMessage = () => {}"  # no tab hears of this one
SEEN = "Object.defineProperty(document, 'hidden', {value: false})"
JOBS = "fetch('v1/jobs').then(answer => answer.json()).then(({data}) => data.map(({id}) => id))"
STANDS = "{}.document.querySelector('#shelf li')?.dataset.state"
# The result of the job is late in the other tab: it comes when ``other.hear`` is called.
LATE = """{
    const ask = other.fetch.bind(other);
    other.fetch = async (path, init) => {
        if (!path.includes("/result")) return ask(path, init);
        const answer = await ask(path, init);
        await new Promise((resolve) => (other.hear = resolve));
        return answer;
    };
}"""


@pytest.fixture
async def visitor(jobs_server: Server, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with reading(jobs_server.url, tmp_path / "profile") as visitor:
        yield visitor


async def beside(visitor: Visitor) -> None:
    """Have what is open here open in another window: ``other``. Both are seen."""
    await visitor.tab.run(SEEN)
    await visitor.tab.run("{ globalThis.other = open(location.href); 0; }")
    await visitor.tab.until("!!other.document.querySelector('#shelf li')")


async def test_tabs_hear_of_each_other_and_none_undoes_what_another_did(visitor: Visitor) -> None:
    tab = visitor.tab
    await beside(visitor)
    await tab.run(f"({WRITE})(window, 0, 'ONE')")
    await tab.until(f"{THERE} === 'ONE,two,one,two'")
    assert await tab.run(f"other.{TOLD}") == ""
    await tab.run(ALONE)
    await tab.run(f"({WRITE})(window, 1, 'TWO')")
    await tab.until(f"{TOLD} === 'Corrected'")
    await tab.run(f"({RENAME})(other, 'Ada')")
    await tab.until(f"{THERE} === 'ONE,TWO,one,two'")
    assert await read_again(visitor) == "ONE,TWO,one,two"
    assert "Ada" in await visitor.reads(".speakers")
    visitor.finds_nothing_wrong()


async def test_what_two_tabs_say_of_one_passage_is_what_was_said_first(visitor: Visitor) -> None:
    tab = visitor.tab
    await beside(visitor)
    await tab.run(ALONE)
    await tab.run(f"({WRITE})(window, 0, 'mine')")
    await tab.until(f"{TOLD} === 'Corrected'")
    await tab.run(f"({WRITE})(other, 0, 'yours')")
    await tab.until(f"{THERE} === 'mine,two,one,two'")
    assert "Another tab" in await tab.until(f"other.{WRONG}")
    assert await tab.run(f"other.{TOLD}") != "Corrected"
    assert await read_again(visitor) == "mine,two,one,two"


async def test_what_is_being_written_where_another_tab_is_first_is_not_said_to_be_kept(
    visitor: Visitor,
) -> None:
    tab = visitor.tab
    await beside(visitor)
    await tab.run("other.document.querySelector('.line .correct').click()")
    await tab.run("{ other.document.querySelector('.line textarea').value = 'yours'; }")
    await tab.run(f"({WRITE})(window, 0, 'mine')")
    await tab.until(f"{THERE} === 'mine,two,one,two'")
    assert "Another tab" in await tab.until(f"other.{WRONG}")
    assert await tab.run(f"other.{TOLD}") == ""
    assert await read_again(visitor) == "mine,two,one,two"


async def test_a_recording_of_one_tab_is_no_strangers_in_another(visitor: Visitor) -> None:
    tab = visitor.tab
    await visitor.come("#/")
    await tab.until("!document.querySelector('#leave').hidden")
    await beside(visitor)
    await visitor.give(sounds.JFK)
    assert await visitor.ended(sounds.JFK.name) == "done"
    names = "[...{}.document.querySelectorAll('#shelf .name')].map(name => name.textContent)"
    everywhere = [sounds.JFK.name, FIRST, SECOND]
    await tab.until(f"{STANDS.format('other')} === 'done'")
    assert await tab.run(names.format("other")) == everywhere
    assert await tab.run("other.document.querySelector('#jobs').hidden")
    await visitor.come()
    assert await tab.run(names.format("window")) == everywhere


async def test_what_one_tab_sends_again_is_the_same_job_in_another(
    visitor: Visitor, orders: Rig
) -> None:
    tab = visitor.tab
    before = await tab.run(JOBS)
    await visitor.come("#/")
    await tab.until("!document.querySelector('#leave').hidden")
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK)
    await orders.held(STEP)
    await beside(visitor)
    again = "document.querySelector('#reader .state button')"
    await tab.click("#reader .state button")
    await tab.until(f"{STANDS.format('other')} === 'cancelled' && {again}.innerText !== 'Cancel'")
    orders.lift(STEP)
    await tab.click("#reader .state button")
    await tab.until(f"{STANDS.format('other')} === 'done'")
    assert await visitor.ended(sounds.JFK.name) == "done"
    await tab.run(f"({WRITE})(other, 0, 'by hand')")
    await tab.until(f"{HERE} === 'by hand'")
    await visitor.come()
    await tab.ask("Page.bringToFront")  # or its dialogs do not tell that they are closed
    await tab.click("#shelf li .forget")
    await tab.click("dialog .danger")
    await tab.until("document.querySelectorAll('#shelf li').length === 2")

    async def gone() -> bool:
        left: bool = await tab.run(JOBS) == before
        return left

    await process.until(gone)


@pytest.mark.parametrize("heard", [True, False])
async def test_what_one_tab_deletes_does_not_come_back_from_another(
    visitor: Visitor, heard: bool
) -> None:
    tab = visitor.tab
    await beside(visitor)
    if not heard:
        await tab.run(ALONE)
    await tab.ask("Page.bringToFront")  # or its dialogs do not tell that they are closed
    await tab.click("#shelf [data-id=first] .forget")
    await tab.click("dialog .danger")
    await tab.until("document.querySelector('#shelf [data-id=first]') === null")
    if not heard:
        await tab.run(f"({WRITE})(other, 0, 'ONE')")
    await tab.until("other.document.querySelector('#shelf [data-id=first]') === null")
    await tab.until("other.document.title === 'Transcribe'")
    await visitor.come()
    assert await tab.seen("#shelf .name") == SECOND
    assert await tab.run("document.querySelectorAll('#shelf li').length") == 1


async def test_a_job_that_another_tab_brings_late_undoes_no_correction(
    visitor: Visitor, orders: Rig
) -> None:
    tab = visitor.tab
    await visitor.come("#/")
    await tab.until("!document.querySelector('#leave').hidden")
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK)
    await orders.held(STEP)
    await tab.until("document.querySelector('#reader .state p')?.innerText.startsWith('Trans')")
    await beside(visitor)
    await tab.run(ALONE)
    await tab.run(LATE)
    orders.lift(STEP)
    assert await visitor.ended(sounds.JFK.name) == "done"
    await tab.until("!!other.hear")
    await tab.run(f"({WRITE})(window, 0, 'by hand')")
    await tab.until(f"{TOLD} === 'Corrected'")
    await tab.run("other.hear()")
    await tab.until("other.document.querySelector('#shelf li').dataset.state === 'done'")
    await tab.until(f"{THERE} === 'by hand'")
    await visitor.come()
    await visitor.look_at(sounds.JFK.name)
    assert await tab.run(HERE) == "by hand"
