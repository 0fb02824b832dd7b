"""The shape of the log: what people read in a terminal, and programs elsewhere."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING, Any

import pytest

from asr.actors.trail import Trail, begin, working_for
from asr.terminal.logs import (
    ERROR_CHARACTERS_MAX,
    VALUE_CHARACTERS_MAX,
    LogSettings,
    console,
    json_lines,
    log_to_stderr,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Page:
    """What a logger of a test has written in one of the two forms."""

    def __init__(self, form: logging.Formatter) -> None:
        self._text = io.StringIO()
        handler = logging.StreamHandler(self._text)
        handler.setFormatter(form)
        self.log = logging.Logger("asr.test")  # one of its own, in no tree
        self.log.addHandler(handler)

    @property
    def text(self) -> str:
        return self._text.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]


def fail(secret: str) -> None:
    raise ValueError(f"bad in {len(secret)} ways")


def test_elsewhere_a_line_is_an_object_with_all_that_is_known() -> None:
    page = Page(json_lines())
    page.log.warning("%s is %d", "ä\n\x85\u2028b", 2, extra={"stages": {"read": 0.5}})
    (line,) = page.lines
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "ä\n\x85\u2028b is 2",
        "level": "warning",
        "logger": "asr.test",
        "stages": {"read": 0.5},
    }


@pytest.mark.parametrize("form", [json_lines(), console(colors=False)])
def test_an_error_has_its_way_through_the_code_and_no_values(form: logging.Formatter) -> None:
    page, password = Page(form), "hush"
    try:
        fail(password)
    except ValueError:
        page.log.exception("failed")
    assert "Traceback (most recent call last)" in page.text
    assert "bad in 4 ways" in page.text
    assert "fail(password)" in page.text
    assert password not in page.text


async def test_a_line_says_for_which_requests_its_task_works() -> None:
    page = Page(json_lines())
    with begin(Trail("a")):
        page.log.warning("of one")
    working_for(lambda: ["c", "b"])
    page.log.warning("of two")
    working_for(tuple)
    page.log.warning("of none")
    one, two, none = page.lines
    assert one["request_id"] == "a"
    assert two["request_ids"] == ["b", "c"]
    assert not {"request_id", "request_ids"} & none.keys()


def test_in_a_terminal_nothing_moves_the_cursor() -> None:
    page = Page(console(colors=False))
    page.log.warning("a\nb\r\x1b[2J\x9b", extra={"path": "\x07"})
    assert page.text.count("\n") == 1
    assert r"a\nb\r\x1b[2J\x9b" in page.text
    assert not {"\r", "\x1b", "\x9b", "\x07"} & set(page.text)


def test_long_values_lose_their_middle() -> None:
    page = Page(json_lines())
    page.log.warning("<%s>", "x" * 100_000)
    try:
        fail_deeply = "y" * 100_000
        raise ValueError(fail_deeply)
    except ValueError:
        page.log.exception("failed")
    long, failed = page.lines
    assert len(long["event"]) < VALUE_CHARACTERS_MAX + 50
    assert long["event"].startswith("<x")
    assert long["event"].endswith("x>")
    assert len(failed["exception"]) < ERROR_CHARACTERS_MAX + 50
    assert failed["exception"].startswith("Traceback")


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], str]]:
    """What was written to stderr; the loggers are as they were afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("asr")
    handlers, levels = root.handlers[:], (root.level, ours.level)
    root.handlers = []  # pytest's own must not be closed
    yield lambda: capsys.readouterr().err
    logging.captureWarnings(False)
    logging.setLoggerClass(logging.Logger)
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (
            "debug",
            {"ours: debug", "ours: info", "ours: warning", "theirs: info", "theirs: warning"},
        ),
        ("info", {"ours: info", "ours: warning", "theirs: warning"}),
        ("error", set()),
    ],
)
def test_of_libraries_only_warnings_are_worth_a_line(
    stderr: Callable[[], str], level: Any, said: set[str]
) -> None:
    log_to_stderr(LogSettings(level=level))
    for name, logger in (("ours", "asr.x"), ("theirs", "httpx")):
        for at in ("debug", "info", "warning"):
            logging.getLogger(logger).log(
                logging.getLevelNamesMapping()[at.upper()], f"{name}: {at}"
            )
    assert {json.loads(line)["event"] for line in stderr().splitlines()} == said


@pytest.mark.parametrize(
    ("settings", "is_json"),
    [
        (LogSettings(), True),
        (LogSettings(format="console"), False),
        (LogSettings().of_a_command(), False),
        (LogSettings(format="json").of_a_command(), True),
    ],
)
def test_what_is_no_terminal_gets_json_unless_a_person_waits_for_it(
    stderr: Callable[[], str], settings: LogSettings, is_json: bool
) -> None:
    log_to_stderr(settings)
    logging.getLogger("asr.x").warning("hello")
    assert stderr().startswith('{"event": "hello"') == is_json


def test_a_library_that_sets_up_a_log_of_its_own_speaks_in_ours(
    stderr: Callable[[], str],
) -> None:
    log_to_stderr(LogSettings(format="json"))
    library = logging.getLogger("a_library_of_this_test")
    library.addHandler(logging.StreamHandler(sys.stderr))
    library.propagate = False
    library.setLevel("DEBUG")
    logging.getLogger("a_library_of_this_test.part").info("chat")
    logging.getLogger("a_library_of_this_test.part").warning("careful")
    (line,) = stderr().splitlines()
    assert json.loads(line)["event"] == "careful"
