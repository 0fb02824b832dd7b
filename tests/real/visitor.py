"""A person who uses the page at /, in a real browser."""

from __future__ import annotations

import json
import re
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import trio

from tests.real.browser import CHROMIUM, Tab, browsing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

# What each test with a visitor is.
IN_CHROMIUM = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

PATIENCE_S = 60.0  # of ours with a browser, on a busy machine

ENDED = ("done", "failed", "cancelled")
# Records into the page's database.
PUT = """(texts) => new Promise((resolve) => {
    const opening = indexedDB.open("asr", 1);
    opening.onsuccess = () => {
        const writing = opening.result.transaction("transcripts", "readwrite");
        for (const text of texts) writing.objectStore("transcripts").put(text);
        writing.oncomplete = () => resolve(opening.result.close());
    };
})"""
COMPLAINTS = ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled")


@dataclass(frozen=True)
class Visitor:
    """Who looks at the page in a tab."""

    tab: Tab
    url: str

    async def come(self, where: str = "") -> None:
        """Open the page, or open it again, and wait until it shows what it has kept."""
        if where:  # only what stands behind the # may differ: that loads nothing
            await self.tab.go("about:blank")
        await self.tab.go(f"{self.url}/{where}")
        await self.tab.until("document.querySelector('#shelf:not([aria-busy])')")

    async def choose(self, **options: str) -> None:
        """Fill the form for what comes next."""
        for name, value in options.items():
            field = f"document.querySelector('#options [name={name}]')"
            wanted = json.dumps(value)
            await self.tab.until(
                f"(({field}.value = {wanted}) && {field}.value === {wanted}) || {wanted} === ''"
            )
            await self.tab.run(f"{field}.dispatchEvent(new Event('input', {{bubbles: true}}))")

    async def stays(self) -> None:
        """Have nothing kept by the server: who gives it something stays until that is done."""
        await self.tab.until("!document.querySelector('#leave').hidden")
        await self.tab.click("#leave input")

    async def give(self, *files: Path) -> None:
        """Have files transcribed."""
        await self.tab.attach("#files", *files)

    async def ended(self, name: str) -> str:
        """What a recording of that name has come to in the list, once it has."""
        item = f"[...document.querySelectorAll('#shelf li')].find(li => {_named(name)})"
        state: str = await self.tab.until(
            f"{json.dumps(ENDED)}.includes({item}?.dataset.state) && {item}.dataset.state"
        )
        return state

    async def has_kept(self, *texts: dict[str, Any]) -> None:
        """Have transcripts of earlier visits, and come again."""
        await self.tab.run(f"({PUT})({json.dumps(texts)})")
        await self.come()

    async def look_at(self, name: str) -> None:
        """Open a recording of the list."""
        await self.tab.until(f"document.querySelector('#shelf li') !== null && {_click(name)}")
        await self.tab.until(
            f"document.querySelector('#reader-title').textContent === {json.dumps(name)}"
        )

    async def reads(self, selector: str) -> str:
        """What an element says, in one line; empty if it is not there."""
        look = f"document.querySelector({json.dumps(selector)})"
        text: str = await self.tab.run(f"{look}?.innerText ?? ''")
        return " ".join(text.split())

    async def words(self) -> str:
        """The transcript, as somebody says it."""
        passages = "[...document.querySelectorAll('p.said')].map(p => p.textContent).join(' ')"
        text: str = await self.tab.run(passages)
        return spoken(text)

    async def is_warned(self) -> bool:
        """Whether the browser would ask before it closes the page."""
        leave = "!dispatchEvent(new Event('beforeunload', {cancelable: true}))"
        asked: bool = await self.tab.run(leave)
        return asked

    def finds_nothing_wrong(self) -> None:
        """Nothing came from elsewhere, and the browser has forbidden and missed nothing."""
        asked = [event["request"]["url"] for event in self.tab.told("Network.requestWillBeSent")]
        own = (f"{self.url}/", f"blob:{self.url}/", "data:", "about:")
        assert [url for url in asked if not url.startswith(own)] == []
        assert [event for kind in COMPLAINTS for event in self.tab.told(kind)] == []


def kept(name: str, made: int, *said: str) -> dict[str, Any]:
    """A transcript of an earlier visit: two people, who take turns."""
    segments = [
        {
            **{"start": at, "end": at + 1, "speaker": f"SPEAKER_0{at % 2}"},
            "pieces": [{"text": f" {text}", "start": at, "end": at + 1}],
        }
        for at, text in enumerate(said)
    ]
    transcript = {
        **{"task": "transcribe", "language": "de", "duration": 60, "segments": segments},
        **{"names": {}, "warnings": []},
    }
    return {
        **{"id": name.partition(".")[0], "name": name, "bytes": 1, "made": made, "options": {}},
        **{"peaks": [0.5], "transcript": transcript, "job": None, "mine": True},
    }


def spoken(text: str) -> str:
    """Only the words."""
    return " ".join(re.findall(r"[\w']+", text.lower()))


def _named(name: str) -> str:
    return f"li.querySelector('.name').textContent === {json.dumps(name)}"


def _click(name: str) -> str:
    found = f"[...document.querySelectorAll('#shelf li')].find(li => {_named(name)})"
    return f"({found}?.querySelector('a').click(), true)"


@asynccontextmanager
async def visiting(url: str, profile: Path, *options: str) -> AsyncIterator[Visitor]:
    """Somebody at the page of a server, whose browser remembers what is in ``profile``."""
    with trio.fail_after(PATIENCE_S):
        async with browsing(profile, *options) as tab:
            visitor = Visitor(tab, url)
            await visitor.come()
            yield visitor
            await tab.ask("Browser.close")  # so that it writes down what it is to remember
