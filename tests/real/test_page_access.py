"""The page at / for everybody: by axe's rules, by keyboard, on small screens, and fast.

axe comes from npm, in one version. Where it cannot be had these tests are skipped, but fail in CI.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from asr.http.page.pages import FOLDER
from asr.pipeline.languages import NAMES
from tests.real import process, sounds
from tests.real.rig import Rig, serving_fake
from tests.real.visitor import IN_CHROMIUM, visiting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.real.visitor import Visitor

pytestmark = IN_CHROMIUM

AXE = "4.14.1"
INSTALL = ("install", "--no-audit", "--no-fund", "--no-progress", "--loglevel=error")
SECONDS = 3600.0
WORDS = 10_000
FRAME_S_MAX = 0.5  # on a busy machine; a person feels more than that


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path, orders: Rig) -> Iterator[process.Server]:
    with serving_fake(environment, log, orders) as server:
        yield server


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Its script."""
    folder = tmp_path_factory.mktemp("axe")
    npm = shutil.which("npm")
    without = pytest.fail if "CI" in os.environ else pytest.skip
    if npm is None:
        without("npm is not installed")
    (folder / "package.json").write_text(json.dumps({"dependencies": {"axe-core": AXE}}))
    done = subprocess.run([npm, *INSTALL], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        without(f"npm could not install axe-core: {done.stderr.strip()[-200:]}")
    return (folder / "node_modules/axe-core/axe.min.js").read_text()


@pytest.fixture
async def visitor(server: process.Server, tmp_path: Path) -> AsyncIterator[Visitor]:
    async with visiting(server.url, tmp_path / "profile") as visitor:
        yield visitor


async def offences(visitor: Visitor, axe: str) -> list[str]:
    """What breaks a rule of axe's, and where."""
    await visitor.tab.run(f"globalThis.axe ? 0 : (0, eval)({json.dumps(axe)})")
    found: list[dict[str, Any]] = await visitor.tab.run("axe.run().then(all => all.violations)")
    return [f"{each['id']}: {node['html'][:150]}" for each in found for node in each["nodes"]]


async def test_axe_finds_nothing_in_any_view_by_day_and_by_night(
    visitor: Visitor, axe: str
) -> None:
    tab = visitor.tab
    await tab.ask("Page.setBypassCSP", enabled=True)  # axe is run by eval
    async with httpx.AsyncClient(base_url=visitor.url, timeout=30) as program:
        await program.post("/v1/jobs", files=process.upload(sounds.GERMAN))
    await visitor.come()
    await tab.seen("option[value=base]")
    await tab.seen("#jobs-list li")
    found: list[str] = []
    for dark in (False, True):
        await tab.view(1280, 800, dark=dark)
        found += await offences(visitor, axe)
    await visitor.give(sounds.JFK)
    assert await visitor.ended(sounds.JFK.name) == "done"
    for dark in (False, True):
        await tab.view(1280, 800, dark=dark)
        found += await offences(visitor, axe)
    await tab.click("#download")
    found += await offences(visitor, axe)
    await tab.press("Escape")
    await tab.run("location.hash = '#/server'")
    await tab.seen(".models li")
    await tab.until("document.querySelector('.chart-line[d]')")
    for dark in (False, True):
        await tab.view(360, 740, dark=dark)
        found += await offences(visitor, axe)
    assert found == []


async def test_axe_would_find_something(visitor: Visitor, axe: str) -> None:
    await visitor.tab.ask("Page.setBypassCSP", enabled=True)
    await visitor.come()
    await visitor.tab.run("document.querySelector('#theme').removeAttribute('aria-label')")
    await visitor.tab.run("document.querySelector('#theme').removeAttribute('title')")
    assert any(each.startswith("button-name") for each in await offences(visitor, axe))


async def test_nothing_is_wider_than_the_smallest_screen(visitor: Visitor) -> None:
    tab = visitor.tab
    await tab.view(360, 740)
    wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert await tab.run(wide) == 0
    await visitor.give(sounds.JFK)
    assert await visitor.ended(sounds.JFK.name) == "done"
    assert await tab.run(wide) == 0
    await tab.run("location.hash = '#/server'")
    await tab.seen(".models li")
    assert await tab.run(wide) == 0


async def test_the_tab_key_comes_to_everything_in_order_and_out_again(visitor: Visitor) -> None:
    tab = visitor.tab
    await tab.seen("option[value=base]")
    name = "document.activeElement.ariaLabel ?? document.activeElement.innerText ?? ''"
    await tab.until("!document.querySelector('#leave').hidden")
    order = []
    for _ in range(15):
        await tab.press("Tab")
        focus = "(document.activeElement.labels?.[0] ?? document.activeElement).innerText"
        order.append((await tab.run(f"({name}) || {focus}")).split("\n")[0].strip())
    assert order[:5] == [
        "To the content",
        "asr-service, new transcript",
        "Transcribe",
        "Server",
        "API",
    ]
    assert order[6:8] == ["Choose files", "Record"]
    assert order[-1] == "New transcript"
    await tab.run("document.querySelector('.skip').focus()")
    await tab.press("Enter")
    assert await tab.run("document.activeElement.id + location.hash") == "main"


async def test_the_theme_that_is_chosen_holds_the_next_time(visitor: Visitor) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    await visitor.tab.view(1280, 800, dark=False)
    light = await visitor.tab.run(ground)
    for _ in ("light", "dark"):
        await visitor.tab.click("#theme")
    dark = await visitor.tab.run(ground)
    assert dark != light
    await visitor.come()
    assert await visitor.tab.run(ground) == dark


async def test_the_page_knows_the_languages_that_the_server_knows(visitor: Visitor) -> None:
    codes = "[...document.querySelectorAll('#options [name=language] option')].map(o => o.value)"
    known: list[str] = await visitor.tab.run(codes)
    assert sorted(known) == sorted(["", *NAMES])


async def test_an_hour_of_words_is_shown_and_followed_at_once(visitor: Visitor) -> None:
    each_s = SECONDS / WORDS
    segments = [
        {"start": i * each_s, "end": (i + 15) * each_s, "text": " word" * 15, "speaker": None}
        for i in range(0, WORDS, 15)
    ]
    words = [{"word": "word", "start": i * each_s, "end": (i + 0.9) * each_s} for i in range(WORDS)]
    answer = {"segments": segments, "words": words}
    script = f"""(async () => {{
        const {{ Lines }} = await import("./page/lines.js");
        const {{ fromAnswer }} = await import("./page/transcript.js");
        const lines = new Lines();
        document.querySelector("#composer").append(lines.element);
        const began = performance.now();
        lines.show(fromAnswer({json.dumps(answer)}, {{ duration: {SECONDS}, task: "" }}));
        document.body.offsetHeight;
        const shown = performance.now();
        for (let i = 0; i < 1000; i += 1) lines.at(i * 3.6, {{ follow: false }});
        const now = performance.now();
        const many = document.querySelectorAll(".word").length;
        return [many, (shown - began) / 1000, (now - shown) / 1000 / 1000];
    }})()"""
    many, shown_s, step_s = await visitor.tab.run(script)
    assert many >= WORDS
    assert shown_s < FRAME_S_MAX * 4
    assert step_s < FRAME_S_MAX / 100


CORRECTIONS = {
    "Ask not what you can": [("Ask", 1.0), ("not", 2.0), ("what", 3.0), ("you", 4.0), ("can", 5.0)],
    "ask, not what YOU can": [
        *(("ask,", 1.0), ("not", 2.0), ("what", 3.0), ("YOU", 4.0), ("can", 5.0)),
    ],
    "Ask what we can": [("Ask", 1.0), ("what", 3.0), ("we", 4.0), ("can", 5.0)],
    "Ask not ever what you can": [
        *(("Ask", 1.0), ("not", 2.0), ("ever", 2.5), ("what", 3.0), ("you", 4.0), ("can", 5.0)),
    ],
    "你好": [("你", 1.0), ("好", 3.25)],
}


async def test_words_keep_their_times_where_the_text_is_corrected(visitor: Visitor) -> None:
    script = f"""import("./page/correct.js").then(({{ corrected }}) => {{
        const pieces = "Ask not what you can".match(/\\s*\\S+/g);
        const timed = pieces.map((text, i) => ({{ text, start: i + 1, end: i + 1.5 }}));
        const segment = {{ start: 1, end: 5.5, speaker: null, pieces: timed }};
        return {json.dumps(list(CORRECTIONS))}.map(text =>
            corrected(segment, text).pieces.map(piece => [piece.text.trim(), piece.start]));
    }})"""
    found = await visitor.tab.run(script)
    assert [[tuple(word) for word in words] for words in found] == list(CORRECTIONS.values())


async def test_no_correction_puts_words_out_of_order_or_loses_one(visitor: Visitor) -> None:
    script = """import("./page/correct.js").then(({ corrected }) => {
        let seed = 7;
        const dice = (sides) => (seed = (seed * 48271) % 2147483647) % sides;
        const some = (most) => Array.from({ length: dice(most) }, () => "abcd"[dice(4)]);
        const wrong = [];
        for (let i = 0; i < 2000; i += 1) {
            const [old, fresh] = [some(9), some(9)];
            const pieces = old.map((text, k) => ({ text: ` ${text}`, start: k, end: k + 1 }));
            const segment = { start: 0, end: old.length, speaker: null, pieces };
            const now = corrected(segment, fresh.join(" ")).pieces;
            const timed = now.filter(({ start }) => start !== undefined);
            const times = timed.flatMap(({ start, end }) => [start, end]);
            const sorted = times.every((time, k) => k === 0 || time >= times[k - 1]);
            const said = now.map(({ text }) => text).join("").trim();
            const inside = times.every((time) => time >= 0 && time <= old.length);
            if (!sorted || !inside || said !== fresh.join(" ")) wrong.push([old, fresh, now]);
        }
        return wrong.slice(0, 3);
    })"""
    assert await visitor.tab.run(script) == []


async def test_events_are_the_same_in_whatever_pieces_they_come(visitor: Visitor) -> None:
    stream = (
        ': ok\n\nevent: a\ndata: {"type": "a", "n": "\u2028ü"}\n\ndata: {"type": "b"}\n\n'
        ": ping\n\ndata: [DONE]\n\n"
    )
    script = f"""import("./page/events.js").then(({{ EventReader }}) => {{
        const stream = {json.dumps(stream)};
        return Array.from({{ length: stream.length + 1 }}, (_, at) => {{
            const reader = new EventReader();
            const events = [...reader.feed(stream.slice(0, at)), ...reader.feed(stream.slice(at))];
            return JSON.stringify(events.map(({{ name, data }}) => [name, data]));
        }});
    }})"""
    (only,) = set(await visitor.tab.run(script))
    assert json.loads(only) == [["a", {"type": "a", "n": "\u2028ü"}], ["b", {"type": "b"}]]


def test_the_page_is_light() -> None:
    weight = sum(len(subprocess.check_output(["gzip", "-c", str(f)])) for f in page_files())
    assert weight < 64_000


def test_no_script_is_only_asked_for_when_another_one_has_come() -> None:
    page = (FOLDER / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:src|href)="page/(\w+\.js)"', page))
    assert named == {file.name for file in page_files() if file.suffix == ".js"}


def test_the_page_has_short_files_and_never_reads_text_as_html() -> None:
    forbidden = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(")
    for file in page_files():
        text = file.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 300, file.name
        assert [word for word in forbidden if word in text] == [], file.name


def page_files() -> list[Path]:
    return [file for file in FOLDER.iterdir() if file.suffix in (".html", ".css", ".js", ".svg")]
