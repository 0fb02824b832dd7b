"""/docs in a real browser: all of it shows, it works, and it asks no other server for anything."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import trio

from asr.http.reference.document import openapi
from tests.real import process, sounds
from tests.real.browser import CHROMIUM, Tab, browsing

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]

PATIENCE_S = 120.0  # of ours with a browser, on a busy machine
OPERATIONS = [
    f"operations-{operation['tags'][0]}-{operation['operationId']}"
    for item in openapi("", keyed=False)["paths"].values()
    for operation in item.values()
]


@pytest.fixture(scope="module")
def server(environment: dict[str, str], log: Path) -> Iterator[process.Server]:
    with (
        log.open("ab") as stderr,
        process.serving(environment, stderr, PRELOAD_MODEL="tiny.en") as server,
    ):
        yield server


@pytest.fixture
async def tab(tmp_path: Path) -> AsyncIterator[Tab]:
    with trio.fail_after(PATIENCE_S):
        async with browsing(tmp_path / "profile") as tab:
            yield tab


async def test_every_operation_shows_and_no_other_server_is_asked(
    server: process.Server, tab: Tab
) -> None:
    await tab.ask("Page.navigate", url=f"{server.url}/docs")
    for operation in OPERATIONS:
        assert await tab.seen(f"#{operation} .opblock-summary-path")
    assert len(OPERATIONS) == 22
    assert_nothing_is_wrong(server, tab)


async def test_a_file_is_transcribed_from_the_page(server: process.Server, tab: Tab) -> None:
    operation = "#operations-ASR-asr"
    await tab.ask("Page.navigate", url=f"{server.url}/docs#/ASR/asr")
    await tab.click(f"{operation} .try-out__btn")
    await tab.attach(f"{operation} input[type=file]", sounds.JFK)
    await tab.click(f"{operation} .execute")
    body = await tab.seen(f"{operation} .live-responses-table .highlight-code")
    sent = await tab.seen(f"{operation} .curl")
    assert '"word_segments"' in body  # as for those who send nothing but the file
    assert re.findall(r"-F '(\w+)=", sent) == ["audio_file"]
    assert "?" not in sent
    assert_nothing_is_wrong(server, tab)


async def test_a_page_that_asks_another_server_would_be_found_out(
    server: process.Server, tab: Tab
) -> None:
    await tab.ask("Page.navigate", url=f"{server.url}/docs")
    await tab.seen(f"#{OPERATIONS[0]}")
    await tab.run("fetch('http://127.0.0.2:9/').catch(() => 0)")
    with pytest.raises(AssertionError):
        assert_nothing_is_wrong(server, tab)


def assert_nothing_is_wrong(server: process.Server, tab: Tab) -> None:
    """Nothing came from elsewhere, and the browser has forbidden and missed nothing."""
    asked = [event["request"]["url"] for event in tab.told("Network.requestWillBeSent")]
    assert f"{server.url}/openapi.json" in asked
    assert [url for url in asked if not url.startswith((f"{server.url}/", "data:"))] == []
    for complaint in ("Log.entryAdded", "Runtime.exceptionThrown", "Runtime.consoleAPICalled"):
        assert tab.told(complaint) == []
