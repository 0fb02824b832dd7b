"""The text so far: who sees it, and when."""

from tests.actors.fakes import name, so_far
from tests.actors.line import Caller, Line, halfway, repetitive


def grow(line: Line, text: str, *, after_s: float = 1.0) -> list[str]:
    """All rows in the batch say the same; the windows whose text somebody wants to see."""
    line.now_s += after_s
    rows = line.waiting.growing(now_s=line.now_s)
    for row in rows:
        line.waiting.grow(row, so_far(row, text), now_s=line.now_s)
    return [name(row.window) for row in rows]


def watched() -> tuple[Line, Caller]:
    """A line with one caller, who watches its window; that is in the batch."""
    line = Line(rows_max=1)
    caller = line.come("a", grows=True)
    line.join()
    return line, caller


def test_the_text_so_far_of_the_first_window_that_is_not_answered_is_shown() -> None:
    line = Line(rows_max=4)
    caller, other = line.come("a", 2, grows=True), line.come("b")
    assert grow(line, " And") == []
    line.join()
    assert grow(line, " And") == ["a0"]
    line.end()
    assert grow(line, " And") == ["a30"]
    assert (caller.grown, other.grown) == (["a0: And", "a30: And"], [])


def test_nothing_is_shown_to_who_has_not_seen_the_last_or_when_it_is_the_same() -> None:
    line, caller = watched()
    grow(line, "")
    grow(line, " And")
    grow(line, " And")
    caller.read = False
    assert grow(line, " And so") == []
    caller.read = True
    grow(line, " And so my")
    assert caller.grown == ["a0: And", "a0: And so my"]


def test_text_is_shown_as_often_as_an_eye_sees_it_and_not_more() -> None:
    line, caller = watched()
    for count in range(1, 11):
        grow(line, " so" * count, after_s=1 / 32)
    assert [text.count("so") for text in caller.grown] == [1, 3, 5, 7, 9]


def test_text_is_taken_back_when_a_window_tries_again_and_nothing_is_shown_while_it_waits() -> None:
    line, caller = watched()
    grow(line, " And and and")
    line.end(says=repetitive)
    assert grow(line, "") == []
    line.join()
    grow(line, " And")
    assert caller.grown == ["a0: And and and", "a0: And"]


def test_the_text_of_a_rest_follows_what_was_heard_before_it() -> None:
    line, caller = watched()
    line.end(says=halfway)
    line.join()
    grow(line, " my")
    assert (caller.grown, caller.parts) == (["a0: a0 my"], "a0+a15")
