"""What docs/LIMITS.md says of bounds is so."""

import re
import runpy
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from asr.settings import declared, rooms

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "LIMITS.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?:`(?P<default>\d+)`)? ?\| `(?P<name>[\w.]+)` \|", re.M)

SETTINGS = {setting.env: setting for _, room in rooms() for setting in declared(room)}
ROWS = [(row["name"], row["default"] or "", row["what"]) for row in ROW.finditer(PAGE)]


def constant(name: str) -> Any:
    """What stands in a module, or in a class of it, under a dotted name."""
    path, last = name.rsplit(".", 1)
    try:
        return getattr(import_module(path), last)
    except ModuleNotFoundError:
        holder = constant(path)
        return getattr(holder() if name.startswith("asr.") else holder, last)


def test_every_row_of_every_table_is_understood() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    assert (
        len(ROWS) == len(rows) - rows.count("| bound | default | set by | at it | held by |") > 30
    )


@pytest.mark.parametrize(("name", "default", "what"), ROWS)
def test_a_bound_is_what_the_page_says(name: str, default: str, what: str) -> None:
    assert what
    if name in SETTINGS:
        shown: str = runpy.run_path(str(ROOT / ".ci" / "settings_pages.py"))["value"](
            SETTINGS[name]
        )
        assert default == shown
    else:
        assert float(default) == constant(name)


@pytest.mark.parametrize("file", sorted(set(re.findall(r"`(tests/[\w/.]+)`", PAGE))))
def test_what_holds_a_bound_is_there(file: str) -> None:
    assert (ROOT / file).is_file()
