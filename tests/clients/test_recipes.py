"""docs/CLIENTS.md and the replays tell of the same programs, addresses and names.

That nothing is sent that the page does not say is checked at each request (conftest.py).
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from tests.clients.recipes import PAGE, Recipe, check, recipes, sections

HERE = Path(__file__).parent
RECIPES = recipes()
NO_PROGRAM = {"readme", "recipes", "sdk", "vercel"}  # the last two run what the page shows


def test_every_program_that_is_replayed_has_a_recipe_and_every_recipe_is_replayed() -> None:
    replayed = {file.stem.removeprefix("test_") for file in HERE.glob("test_*.py")}
    assert replayed - NO_PROGRAM == set(RECIPES)


@pytest.mark.parametrize(("program", "recipe"), RECIPES.items(), ids=RECIPES)
def test_everything_that_a_program_is_said_to_send_is_in_its_replay(
    program: str, recipe: Recipe
) -> None:
    source = (HERE / f"test_{program}.py").read_text(encoding="utf-8")
    for (_, path), names in recipe.items():
        assert path.rpartition("/")[2] in source
        for name in names:
            assert re.search(rf"(?<!\w){re.escape(name)}(?!\w)", source), name


@pytest.mark.parametrize(
    ("path", "query", "form", "fault"),
    [
        ("/asr", {"output": "srt"}, {"audio_file": b""}, None),
        ("/asr", {"output": "srt", "model": "base"}, {"audio_file": b""}, "['model'] are sent"),
        ("/asr", {"output": "srt"}, {"file": b""}, "['file'] are sent"),
        ("/v1/models", {}, {"file": b""}, "has no POST /v1/models"),
    ],
)
async def test_what_the_page_does_not_say_fails_the_replay(
    path: str, query: dict[str, str], form: dict[str, bytes], fault: str | None
) -> None:
    request = httpx.Request("POST", f"http://here{path}", params=query, files=form)
    if fault is None:
        await check(RECIPES["bazarr"], request)
    else:
        with pytest.raises(AssertionError, match=re.escape(fault)):
            await check(RECIPES["bazarr"], request)


def test_every_section_says_where_the_server_is() -> None:
    texts = sections()
    assert {name for name, text in texts.items() if "http://127.0.0.1:9001" not in text} == set()
    ports = re.findall(r"(?:127\.0\.0\.1|internal):(\d+)", PAGE.read_text(encoding="utf-8"))
    assert set(ports) == {"9001"}
