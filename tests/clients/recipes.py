"""docs/CLIENTS.md, as far as it says what programs send: so that it stays true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    import httpx

PAGE = Path(__file__).parents[2] / "docs" / "CLIENTS.md"
SECTION = re.compile(r"^## (?P<title>.+)\n(?P<text>(?:(?!^## ).*\n)*)", re.MULTILINE)
SENDS = re.compile(r"^```sends\n(?P<lines>.*?)^```$", re.DOTALL | re.MULTILINE)
FIELD = re.compile(rb'form-data; name="([^"]+)"')

# What a program may send where, by method and path: the names in its query and its form.
Recipe = dict[tuple[str, str], frozenset[str]]


def sections() -> Mapping[str, str]:
    """The sections of the page, by the ends of the names of those who replay them."""
    found = SECTION.finditer(PAGE.read_text(encoding="utf-8"))
    return {each["title"].lower().replace(" ", "_"): each["text"] for each in found}


def recipes() -> Mapping[str, Recipe]:
    """What the page says that each program sends, as far as it does."""
    blocks = ((name, SENDS.search(text)) for name, text in sections().items())
    return {name: read(block["lines"]) for name, block in blocks if block}


def read(lines: str) -> Recipe:
    words = (line.split() for line in lines.splitlines())
    return {(method, path): frozenset(names) for method, path, *names in words}


async def check(recipe: Recipe, request: httpx.Request) -> None:
    """Fail if the page does not say that the program sends this."""
    names = recipe.get((request.method, request.url.path))
    assert names is not None, f"docs/CLIENTS.md has no {request.method} {request.url.path}"
    fields = {name.decode() for name in FIELD.findall(await request.aread())}
    unsaid = (fields | set(request.url.params)) - names
    assert not unsaid, f"docs/CLIENTS.md does not say that {sorted(unsaid)} are sent"
