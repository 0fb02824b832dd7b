"""Write the settings that the rooms declare into ``.env.example`` and the README's table.

Usage: ``uv run .ci/settings_pages.py``, after a setting was added or changed.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from asr.settings import Declared, declared, rooms

ROOT = Path(__file__).resolve().parent.parent
HEAD = """\
# Copy this file to .env and change what you need: remove the # in front of a name.
# An empty value means the default, except for PRELOAD_MODEL: there it means no preload.
"""
TABLE = re.compile(r"(?<=<!-- settings -->\n).*(?=<!-- end of settings -->)", re.DOTALL)


def updated(page: str, text: str) -> str:
    """The text of a page with the settings as they are now."""
    return example() if page == ".env.example" else TABLE.sub(lambda _: table(), text)


def example() -> str:
    """Every setting with its default, switched off, under a line that says what it does."""
    lines = (f"\n# {one.help}\n#{one.env}={value(one)}\n" for one in every())
    return HEAD + "".join(lines)


def table() -> str:
    """The same as a Markdown table."""
    rows = (f"| `{one.env}` | {code(value(one))} | {one.help} |\n" for one in every())
    return "| name | default | what it does |\n|---|---|---|\n" + "".join(rows)


def every() -> Iterator[Declared]:
    """All settings, room by room; one that two rooms read stands once."""
    seen: dict[str, Declared] = {}
    for _, room in rooms():
        for one in declared(room):
            seen.setdefault(one.env, one)
    return iter(seen.values())


def value(one: Declared) -> str:
    """A default as an operator would write it; nothing stands for "not given"."""
    if one.default is None:
        return ""
    if isinstance(one.default, bool):
        return str(one.default).lower()
    if isinstance(one.default, float):
        return f"{one.default:g}"
    return str(one.default)


def code(text: str) -> str:
    """Text in Markdown's code style."""
    return f"`{text}`" if text else ""


if __name__ == "__main__":
    for name in (".env.example", "README.md"):
        page = ROOT / name
        page.write_text(updated(name, page.read_text() if page.exists() else ""))
