"""The page that shows the API: whole, from this server alone, and nothing else of the disk."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from asr.http.reference.pages import BEGIN, PAGE

if TYPE_CHECKING:
    from quart.typing import TestClientProtocol

FILES = re.findall('(?:src|href)="([^"]+)"', PAGE)


@pytest.mark.parametrize("path", ["/docs", "/docs/"])
async def test_the_page_has_one_address_with_a_slash(client: TestClientProtocol, path: str) -> None:
    answer = await client.get(path, follow_redirects=True)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert await answer.get_data(as_text=True) == PAGE


async def test_it_is_found_behind_a_proxy_that_adds_a_prefix(client: TestClientProtocol) -> None:
    answer = await client.get("/docs")
    assert (answer.status_code, answer.headers["Location"]) == (302, "docs/")
    assert not [file for file in FILES if file.startswith("/")]


@pytest.mark.parametrize("file", FILES)
async def test_what_the_page_asks_for_is_there(client: TestClientProtocol, file: str) -> None:
    path = file.removeprefix("..") if file.startswith("../") else f"/docs/{file}"
    answer = await client.get(path)
    kinds = {
        "js": "text/javascript",
        "css": "text/css",
        "png": "image/png",
        "json": "application/json",
    }
    assert answer.status_code == 200
    assert answer.mimetype == kinds[file.rpartition(".")[2]]
    assert len(await answer.get_data()) > 100


@pytest.mark.parametrize("file", ["", "begin.js", "swagger-ui.css"])
async def test_a_browser_may_only_ask_this_server(client: TestClientProtocol, file: str) -> None:
    headers = (await client.get(f"/docs/{file}")).headers
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; ")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == ("max-age=86400" if file else "no-cache")


def test_the_page_names_no_other_server() -> None:
    assert "//" not in re.sub(r"// .*", "", PAGE + BEGIN)


@pytest.mark.parametrize(
    "name", ["swagger-ui.js", "VERSION", "..%2FVERSION", "../VERSION", "%2e%2e/VERSION", "none"]
)
async def test_no_other_file_is_served(client: TestClientProtocol, name: str) -> None:
    answer = await client.get(f"/docs/{name}")
    assert answer.status_code == 404
    assert (await answer.get_json())["detail"].startswith("Not Found (GET /docs/")
