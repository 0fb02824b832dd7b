"""The page at /: for people only, whole, from this server alone, and nothing else of the disk."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

import pytest

from asr.http.page.pages import CONTENT_TYPES, FOLDER, FRONT, read_page

if TYPE_CHECKING:
    from pathlib import Path

    from quart.typing import TestClientProtocol

# What browsers send for a page.
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
NAMES = sorted({file.name for file in FOLDER.iterdir()} & set(read_page()) - {FRONT})


async def test_browsers_get_the_page_where_programs_get_an_object(
    client: TestClientProtocol,
) -> None:
    answer = await client.get("/", headers=BROWSER)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert await answer.get_data() == read_page()[FRONT].body
    assert set(answer.headers["Vary"].split(", ")) == {"Accept", "Accept-Encoding"}
    assert (await client.get("/")).mimetype == "application/json"


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in NAMES)])
async def test_a_file_is_kept_until_it_changes_and_packed_for_who_can_unpack(
    client: TestClientProtocol, path: str
) -> None:
    plain = await client.get(path, headers=BROWSER)
    packed = await client.get(path, headers={**BROWSER, "Accept-Encoding": "br, gzip"})
    kept = await client.get(path, headers={**BROWSER, "If-None-Match": plain.headers["ETag"]})
    assert plain.headers["Content-Type"] in CONTENT_TYPES.values()
    assert "Content-Encoding" not in plain.headers
    if packed.headers.get("Content-Encoding") == "gzip":
        assert gzip.decompress(await packed.get_data(as_text=False)) == await plain.get_data()
    assert len(await packed.get_data()) <= len(await plain.get_data())
    assert (kept.status_code, await kept.get_data()) == (304, b"")
    for answer in (plain, packed, kept):
        assert answer.headers["ETag"] == plain.headers["ETag"]
        assert answer.headers["Cache-Control"] == "no-cache"


def test_every_file_is_asked_for_at_once() -> None:
    """A module that another one imports would be asked for only when that one is there."""
    front = read_page()[FRONT].body.decode()
    assert sorted(re.findall(r'(?:src|href)="page/([^"]+)"', front)) == NAMES


@pytest.mark.parametrize("refused", ["identity", "gzip;q=0", "br"])
async def test_who_takes_no_gzip_gets_none(client: TestClientProtocol, refused: str) -> None:
    answer = await client.get("/", headers={**BROWSER, "Accept-Encoding": refused})
    assert await answer.get_data() == read_page()[FRONT].body


@pytest.mark.parametrize("path", ["/", *(f"/page/{name}" for name in NAMES)])
async def test_it_may_use_this_server_the_microphone_and_nothing_else(
    client: TestClientProtocol, path: str
) -> None:
    headers = (await client.get(path, headers=BROWSER)).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Permissions-Policy"].startswith("microphone=(self), ")
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_what_the_page_asks_for_is_there_behind_any_prefix(
    client: TestClientProtocol,
) -> None:
    for address in re.findall(r'(?:src|href)="([^"#]+)"', read_page()[FRONT].body.decode()):
        assert not address.startswith(("/", "http"))
        assert (await client.get(f"/{address}")).status_code in {200, 302}, address


@pytest.mark.parametrize(
    "name",
    [FRONT, "pages.py", "..%2Fapp.py", "../app.py", "%2e%2e/app.py", "none", "none.js", ".html"],
)
async def test_no_other_file_is_served(client: TestClientProtocol, name: str) -> None:
    assert (await client.get(f"/page/{name}")).status_code == 404


def test_files_of_other_kinds_are_left_out(tmp_path: Path) -> None:
    for name in ("a.js", "b.py", "c.md", "README", "d.css"):
        (tmp_path / name).write_text("words " * 9)
    files = read_page(tmp_path)
    assert set(files) == {"a.js", "d.css"}
    assert files["a.js"].tag == files["d.css"].tag
