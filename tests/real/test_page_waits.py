"""What the page at / does while the server says nothing, and while nobody looks at the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from tests.real import sounds
from tests.real.test_page_jobs import BEHIND, LOOK, STATE, STEP, sent
from tests.real.visitor import IN_CHROMIUM, visiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.real.process import Server
    from tests.real.rig import Rig
    from tests.real.visitor import Visitor

pytestmark = IN_CHROMIUM

# The first stream of events says one and hangs; who waits so long for another has waited enough.
STALLS = """{
    const [ask, wait] = [fetch, setTimeout];
    [globalThis.asked, globalThis.hangs] = [[], false];
    globalThis.setTimeout = (work, ms) => wait(work, hangs && ms === 30_000 ? 10 : ms);
    globalThis.fetch = (path, init) => {
        if (!path.includes("/events")) return ask(path, init);
        asked.push(init.headers["Last-Event-ID"]);
        if (asked.length > 1) return ask(path, init);
        hangs = true;
        const body = new ReadableStream({
            start(stream) {
                stream.enqueue(new TextEncoder().encode("id: 1\\nevent: started\\ndata: {}\\n\\n"));
                init.signal.addEventListener("abort", () => {
                    hangs = false;
                    stream.error(new Error("aborted"));
                });
            },
        });
        return Promise.resolve(new Response(body));
    };
}"""
# A server that never says which models it has.
NO_MODELS = """{
    const ask = fetch;
    globalThis.fetch = (path, init) => {
        if (path !== "v1/models") return ask(path, init);
        return new Promise(() => (globalThis.waits = true));
    };
}"""
# How many streams of events are open, and how many ever were.
LINES = """{
    const ask = fetch;
    [globalThis.open, globalThis.opened] = [0, 0];
    globalThis.fetch = (path, init) => {
        if (path.includes("/events")) {
            [open, opened] = [open + 1, opened + 1];
            init.signal.addEventListener("abort", () => (open -= 1));
        }
        return ask(path, init);
    };
}"""
# A server that hangs, and a person's browser that waits for it no longer than a moment.
HANGS = """{
    const ask = fetch;
    [globalThis.asked, globalThis.pending] = [0, 0];
    AbortSignal.timeout = () => {
        const moment = new AbortController();
        setTimeout(() => moment.abort(), 10);
        return moment.signal;
    };
    globalThis.fetch = (path, init) => {
        if (!["metrics", "queue-metrics"].includes(path)) return ask(path, init);
        [asked, pending] = [asked + 1, pending + 1];
        return new Promise((_, reject) => {
            init.signal?.addEventListener("abort", () => {
                pending -= 1;
                reject(init.signal.reason);
            });
        });
    };
}"""


@pytest.fixture
async def api(jobs_server: Server) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=jobs_server.url, timeout=30) as client:
        yield client


@pytest.fixture
async def visitor(jobs_server: Server, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting(jobs_server.url, tmp_path / "profile") as visitor:
        await visitor.tab.until("!document.querySelector('#leave').hidden")
        yield visitor


async def test_a_stream_that_says_nothing_any_more_is_begun_again_where_it_was(
    visitor: Visitor, orders: Rig
) -> None:
    tab = visitor.tab
    await tab.run(STALLS)
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK)
    await orders.held(STEP)
    await tab.until("asked.length === 2")
    assert await tab.run("asked") == ["0", "1"]
    await tab.until(f"{STATE}?.startsWith('Transcribing')")
    orders.lift(STEP)
    assert await visitor.ended(sounds.JFK.name) == "done"
    assert await visitor.words() == "word"


async def test_a_tab_that_nobody_sees_holds_no_line(visitor: Visitor, orders: Rig) -> None:
    tab = visitor.tab
    await tab.run(LINES)
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK)
    await orders.held(STEP)
    await tab.until("open === 1")
    await tab.run(BEHIND)
    await tab.run(f"(behind = true, {LOOK})")
    assert await tab.run("open") == 0
    await tab.run(f"(behind = false, {LOOK})")
    await tab.until("open === 1 && opened === 2")
    orders.lift(STEP)
    assert await visitor.ended(sounds.JFK.name) == "done"


async def test_the_focus_stays_on_a_job_when_another_one_comes(
    visitor: Visitor, api: httpx.AsyncClient
) -> None:
    tab = visitor.tab
    first = await sent(api, sounds.JFK)
    await tab.run(LOOK)
    await tab.seen(f"#jobs-list [data-id={first}] a")
    await tab.run(f"document.querySelector('#jobs-list [data-id={first}] a').focus()")
    second = await sent(api, sounds.GERMAN)
    await tab.run(LOOK)
    await tab.seen(f"#jobs-list [data-id={second}]")
    assert await tab.run("document.activeElement.closest('li')?.dataset.id") == first


async def test_jobs_wait_for_no_list_of_models(visitor: Visitor, api: httpx.AsyncClient) -> None:
    await visitor.tab.ask("Page.addScriptToEvaluateOnNewDocument", source=NO_MODELS)
    job = await sent(api, sounds.JFK)
    await visitor.come()
    await visitor.tab.seen(f"#jobs-list [data-id={job}]")
    assert await visitor.tab.run("globalThis.waits")


async def test_few_looks_wait_for_a_server_that_hangs(visitor: Visitor) -> None:
    await visitor.tab.run(HANGS)
    await visitor.tab.run("location.hash = '#/server'")
    await visitor.tab.until("asked >= 4 && pending === 0")
