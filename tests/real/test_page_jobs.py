"""Jobs on the page at /, in a real browser: sent, left, come back to, ended.

The engine says "word".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
import trio

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
# A proxy that has words of its own, once it is ``broken`` for a path.
PROXY = """{
    const ask = fetch;
    [globalThis.broken, globalThis.asked, globalThis.refused] = [null, 0, 0];
    globalThis.fetch = async (path, init) => {
        asked += 1;
        if (!broken || !path.includes(broken.path)) return ask(path, init);
        refused += 1;
        return new Response("<html>", { status: broken.status });
    };
}"""
# A tab that nobody sees, until ``behind`` is false.
BEHIND = """Object.defineProperty(document, "hidden", {
    configurable: true, get: () => globalThis.behind ?? true,
});"""
LOOK = "document.dispatchEvent(new Event('visibilitychange'))"
# The first stream of events is late: it comes, whole, when ``hear`` is called.
SLOW = """{
    const ask = fetch;
    let first = true;
    globalThis.fetch = (path, init) => {
        if (!first || !path.includes("/events")) return ask(path, init);
        first = false;
        return new Promise((resolve) => {
            globalThis.hear = async () => {
                const answer = await ask(path, { headers: init.headers });
                const copy = answer.clone();
                resolve(answer);
                await copy.text();
                await new Promise(requestIdleCallback);
            };
        });
    };
}"""
OTHERS = "[...document.querySelectorAll('#jobs-list li')]"
STATE = "document.querySelector('#reader .state p')?.innerText"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """One job at a time, so that others wait; and each is work, also if it was done before."""
    folder = str(tmp_path_factory.mktemp("jobs"))
    alone = {"ASR_JOBS_AT_ONCE": "1", "ASR_CACHE_MAX_MB": "0"}
    return {"ASR_JOBS_DIR": folder, "API_KEYS": KEY, **alone}


@pytest.fixture(scope="module")
def server(
    environment: dict[str, str], log: Path, orders: Rig, settings: dict[str, str]
) -> Iterator[process.Server]:
    with serving_fake(environment, log, orders, **settings) as server:
        yield server


@pytest.fixture
async def api(server: process.Server) -> AsyncIterator[httpx.AsyncClient]:
    """A program with the same key; when it is over there is no job left."""
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=30) as client:
        yield client
        for job in await listed(client):
            while (await client.delete(f"/v1/jobs/{job['id']}")).status_code == 200:
                pass


async def listed(api: httpx.AsyncClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.get("/v1/jobs")).json()["data"]
    return found


async def sent(api: httpx.AsyncClient, file: Path) -> str:
    """A program's job."""
    files = {"file": (file.name, await trio.Path(file).read_bytes())}
    answer = await api.post("/v1/jobs", files=files, data={"priority": "interactive"})
    job_id: str = answer.json()["id"]
    return job_id


@pytest.fixture
async def visitor(
    server: process.Server, api: httpx.AsyncClient, tmp_path: Path
) -> AsyncIterator[Visitor]:
    """Somebody whose browser knows the key from another time."""
    async with visiting(server.url, tmp_path / "profile") as visitor:
        await visitor.tab.run(f"localStorage.setItem('asr.key', JSON.stringify('{KEY}'))")
        await visitor.come()
        await visitor.tab.until("!document.querySelector('#leave').hidden")
        visitor.tab.events.clear()  # of the time before the key
        yield visitor


async def test_who_leaves_in_the_middle_comes_back_to_it_and_reads_it(
    visitor: Visitor, orders: Rig, api: httpx.AsyncClient
) -> None:
    tab = visitor.tab
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK, sounds.GERMAN)
    await orders.held(STEP)
    await tab.until(f"{STATE}?.startsWith('Transcribing')")
    states = "[...document.querySelectorAll('#shelf .what')].map(what => what.innerText).join()"
    await tab.until(f"{states}.includes('Place 1 in the queue')")
    await visitor.come(await tab.run("location.hash"))  # nobody asks whether that is meant
    await tab.until(f"{STATE}?.startsWith('Transcribing')")
    assert await visitor.reads("#reader-title") == sounds.JFK.name
    orders.lift(STEP)
    for file in (sounds.JFK, sounds.GERMAN):
        assert await visitor.ended(file.name) == "done"
        await visitor.look_at(file.name)
        assert await visitor.words() == "word"
    assert not await tab.run("document.querySelector('.sound').hidden")
    await tab.until("!document.querySelector('.round').disabled")  # the audio is here, too
    assert sorted(job["file_name"] for job in await listed(api)) == [
        sounds.GERMAN.name,
        sounds.JFK.name,
    ]
    assert await tab.run("document.querySelector('#jobs').hidden")  # they are all here
    visitor.finds_nothing_wrong()


async def test_one_that_is_cancelled_stops_at_the_server_and_one_that_is_deleted_is_gone(
    visitor: Visitor, orders: Rig, api: httpx.AsyncClient
) -> None:
    tab = visitor.tab
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK)
    await orders.held(STEP)
    await tab.until(f"{STATE}?.startsWith('Transcribing')")
    await tab.click("#reader .state button")
    assert await visitor.ended(sounds.JFK.name) == "cancelled"
    orders.lift(STEP)
    assert [job["state"] for job in await listed(api)] == ["cancelled"]
    await tab.until("document.querySelector('#reader .state button').innerText === 'Send again'")
    await tab.click("#reader .state button")
    assert await visitor.ended(sounds.JFK.name) == "done"
    assert await visitor.words() == "word"
    await tab.click("#shelf .forget")
    await tab.click("dialog .danger")
    await tab.until("document.querySelector('#shelf li') === null")

    async def gone() -> bool:
        return not await listed(api)

    await process.until(gone)
    visitor.finds_nothing_wrong()


async def test_jobs_of_programs_are_there_to_read_and_to_end(
    visitor: Visitor, orders: Rig, api: httpx.AsyncClient
) -> None:
    tab = visitor.tab
    first = await sent(api, sounds.GERMAN)
    await process.until(lambda: is_done(api, first))
    orders.order(STEP, "hold")
    await sent(api, sounds.JFK)
    await orders.held(STEP)
    await visitor.come()
    await tab.until(f"{OTHERS}.length === 2")
    states = f"{OTHERS}.map(li => li.dataset.state)"
    await tab.until(f"{states}[0] === 'transcribing'")
    await tab.run(f"{OTHERS}[0].querySelector('.cancel').click()")
    await tab.until(f"{states}[0] === 'cancelled'")
    orders.lift(STEP)
    await tab.run(f"{OTHERS}[0].querySelector('.forget').click()")
    await tab.click("dialog .danger")
    await tab.until(f"{OTHERS}.length === 1")
    await tab.run(f"{OTHERS}[0].querySelector('a').click()")
    assert await visitor.ended(sounds.GERMAN.name) == "done"
    assert await visitor.words() == "word"
    assert await visitor.reads("#reader-title") == sounds.GERMAN.name
    assert await tab.run("document.querySelector('#jobs').hidden")
    await tab.click("#shelf .forget")  # what others sent stays at the server
    await tab.click("dialog .danger")
    await tab.until(f"{OTHERS}.length === 1")
    assert [job["id"] for job in await listed(api)] == [first]
    visitor.finds_nothing_wrong()


async def test_a_job_that_is_opened_in_a_tab_behind_is_there_when_that_is_looked_at(
    visitor: Visitor, api: httpx.AsyncClient
) -> None:
    job = await sent(api, sounds.JFK)
    await process.until(lambda: is_done(api, job))
    await visitor.tab.ask("Page.addScriptToEvaluateOnNewDocument", source=BEHIND)
    await visitor.come(f"#/r/{job}")
    await visitor.tab.seen("option[value=base]")  # asked for when the page is put together
    assert await visitor.tab.run("document.querySelector('#reader').hidden")
    await visitor.tab.run("globalThis.behind = false")
    await visitor.tab.run(LOOK)
    await visitor.tab.until("!document.querySelector('#reader').hidden")
    assert await visitor.reads("#reader-title") == sounds.JFK.name


@pytest.mark.parametrize(("path", "status"), [("v1/jobs", 502), ("v1/jobs/", 404)])
async def test_what_a_proxy_says_is_no_verdict_on_a_job(
    visitor: Visitor, api: httpx.AsyncClient, path: str, status: int
) -> None:
    tab = visitor.tab
    await tab.run(PROXY)
    await tab.run(f"broken = {{path: '{path}', status: {status}}}")
    await tab.run(f"(asked = 0, {LOOK})")
    await tab.until("asked")
    await visitor.give(sounds.JFK)
    await process.until(lambda: all_done(api))  # it went as a job all the same
    await tab.run(f"(refused = 0, {LOOK})")
    await tab.until("refused")
    states = "[...document.querySelectorAll('#shelf li')].map(li => li.dataset.state)"
    (state,) = await tab.run(states)
    assert state in ("queued", "reading", "transcribing")
    await tab.run(f"(broken = null, {LOOK})")
    assert await visitor.ended(sounds.JFK.name) == "done"
    assert await visitor.words() == "word"


async def all_done(api: httpx.AsyncClient) -> bool:
    return [job["state"] for job in await listed(api)] == ["done"]


async def test_events_that_come_late_do_not_undo_what_was_corrected(
    visitor: Visitor, orders: Rig
) -> None:
    tab = visitor.tab
    await tab.run(SLOW)
    orders.order(STEP, "hold")
    await visitor.give(sounds.JFK)
    await orders.held(STEP)
    await tab.until("globalThis.hear")
    orders.lift(STEP)
    assert await visitor.ended(sounds.JFK.name) == "done"
    await tab.click(".line .correct")
    await tab.write(" And so on.")
    await tab.press("Enter")
    await tab.until("document.querySelector('p.said').innerText.endsWith('on.')")
    await tab.run("hear()")
    assert await visitor.ended(sounds.JFK.name) == "done"
    assert (await visitor.reads("p.said")).endswith("And so on.")


async def is_done(api: httpx.AsyncClient, job_id: str) -> bool:
    state: str = (await api.get(f"/v1/jobs/{job_id}")).json()["state"]
    return state == "done"


async def test_who_does_not_want_it_stays_and_leaves_nothing_at_the_server(
    visitor: Visitor, api: httpx.AsyncClient
) -> None:
    await visitor.stays()
    await visitor.come()  # it is remembered
    await visitor.tab.until("!document.querySelector('#leave').hidden")
    await visitor.give(sounds.JFK)
    assert await visitor.ended(sounds.JFK.name) == "done"
    assert await visitor.words() == "word"
    assert await listed(api) == []


async def test_a_job_goes_on_when_the_server_comes_back(
    environment: dict[str, str], log: Path, rig: Rig, tmp_path: Path
) -> None:
    settings = {"ASR_JOBS_DIR": str(tmp_path / "jobs"), "PORT": str(process.free_port())}
    rig.order(STEP, "hold")
    with serving_fake(environment, log, rig, **settings) as server:
        async with visiting(server.url, tmp_path / "profile") as visitor:
            await visitor.tab.until("!document.querySelector('#leave').hidden")
            await visitor.give(sounds.JFK)
            await rig.held(STEP)
            await visitor.tab.until(f"{STATE}?.startsWith('Transcribing')")
            server.process.kill()
            server.process.wait()
            await visitor.tab.run(LOOK)
            rig.lift(STEP)
            with serving_fake(environment, log, rig, **settings):
                assert await visitor.ended(sounds.JFK.name) == "done"
                assert await visitor.words() == "word"
