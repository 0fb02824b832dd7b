"""What happens to those who wait when memory runs out, and when the engine crashes."""

import pytest

from asr.actors.turns import Priority
from tests.actors.fakes import TINY
from tests.actors.line import Line, halfway, repetitive

ROWS_MAX = 8


@pytest.fixture
def line() -> Line:
    return Line(ROWS_MAX)


def crash(line: Line) -> int:
    return line.crash(ROWS_MAX)


# Memory has no room for more.


def test_who_found_no_room_comes_first_as_soon_as_a_row_has_left(line: Line) -> None:
    line.come("a", 3)
    line.come("b", 3)
    assert line.join(room_for=3) == "a0 b0 a30"
    line.come("c")
    assert line.waiting.running == 3
    assert line.join() == ""
    line.end()
    assert line.join(room_for=1) == "b30"
    assert line.join() == ""
    line.batch = []
    assert line.waiting.windows == 3


def test_room_is_made_by_whoever_leaves(line: Line) -> None:
    leaver = line.come("a", 2)
    line.come("b")
    assert line.join(room_for=2) == "a0 b0"
    leaver.abandoned = True
    line.come("c")
    assert line.join() == ""
    line.forget()
    assert line.join() == "c0"


def test_who_found_no_room_has_not_been_served(line: Line) -> None:
    line.come("a")
    line.join()
    line.come("files", priority=Priority.BATCH)
    line.now_s += 20  # too long for files
    line.come("b")
    assert line.join(room_for=0) == ""
    line.end()
    line.now_s += 1
    assert line.join(room_for=1) == "files0"


def test_room_is_made_when_all_rows_leave_at_once(line: Line) -> None:
    line.come("a")
    line.come("b")
    assert line.join(room_for=1) == "a0"
    line.run_out()  # which is the end of a
    assert line.join() == "b0"


# Memory has run out.


def test_half_as_many_try_again_in_the_same_order_until_nobody_is_left() -> None:
    line = Line(rows_max=8)
    caller = line.come("a", 9)
    line.join()
    line.end(says=repetitive)
    assert line.join() == "a0@0.2"
    line.run_out()  # with 8 rows
    assert line.join() == "a0@0.2 a30 a60 a90"
    assert line.join() == ""
    line.run_out()
    assert line.join() == "a0@0.2 a30"
    line.end_all()
    while line.waiting:
        assert len(line.join().split()) <= 2
        line.end_all()
    assert caller.heard == [f"a{start_s}" for start_s in range(0, 270, 30)]
    line.ask("b")  # nobody was there any more: who comes now may be smaller
    line.come("c", 8)
    assert (line.detect(), len(line.join().split())) == ("b0", 8)


def test_what_does_not_fit_even_alone_fails_and_the_others_go_on(line: Line) -> None:
    large, small = line.come("large", 2), line.come("small", 2)
    assert line.join() == "large0 small0 large30 small30"
    line.run_out()
    assert line.join() == "large0 small0"
    line.run_out()
    assert line.join() == "large0"
    line.run_out()
    assert (large.heard, large.closed) == (["NotEnoughMemory"], True)
    while line.waiting:
        line.join()
        line.end_all()
    assert small.heard == ["small0", "small30"]


def test_a_language_that_ran_out_of_memory_beside_rows_is_detected_alone(line: Line) -> None:
    caller = line.come("a", 2)
    line.join()
    asker = line.ask("b")
    assert line.detecting() == "b0"
    line.run_out()
    assert line.detecting() == "b0"
    assert line.waiting.running == 0
    line.run_out()
    assert (asker.heard, asker.closed) == (["NotEnoughMemory"], True)
    assert line.join() == "a0"  # of three at work, one is left
    assert caller.heard == []


def test_while_memory_is_short_a_language_waits_for_a_row_to_leave_and_goes_before_the_next() -> (
    None
):
    line = Line(rows_max=4)
    line.come("a", 4)
    line.join()
    line.run_out()
    assert line.join() == "a0 a30"
    line.ask("b")
    line.ask("c")
    assert line.detect() == ""
    line.end()
    assert line.detect() == "b0"
    assert line.join() == "a60"
    assert line.detect() == ""
    line.end_all()
    assert line.detect() == "c0"


# The engine crashes.


def test_those_who_were_in_a_crash_go_one_at_a_time_before_anybody_else_joins(line: Line) -> None:
    a, b = line.come("a", 2), line.come("b")
    assert line.join() == "a0 b0 a30"
    c = line.come("c")
    assert crash(line) == 0
    joined: list[str] = []
    while line.waiting:
        joined.append(line.join())
        assert line.join() == ""
        line.end_all()
    assert joined == ["a0", "b0", "a30", "c0"]
    assert (a.heard, b.heard, c.heard) == (["a0", "a30"], ["b0"], ["c0"])


def test_who_crashes_the_engine_alone_and_for_the_second_time_fails_by_itself(line: Line) -> None:
    good, bad = line.come("good", 2), line.come("bad", 2)
    assert line.join() == "good0 bad0 good30 bad30"
    assert crash(line) == 0
    assert line.join() == "good0"
    line.end()
    assert line.join() == "bad0"
    assert crash(line) == 2  # this one, and that before
    assert (bad.heard, bad.closed) == (["Poisoned"], True)
    assert line.join() == "good30"
    line.end()
    assert good.heard == ["good0", "good30"]
    assert not line.waiting


def test_two_culprits_of_one_crash_are_both_found(line: Line) -> None:
    one, other = line.come("one"), line.come("other")
    line.join()
    assert crash(line) == 0
    assert line.join() == "one0"
    assert crash(line) == 2
    assert line.join() == "other0"
    assert crash(line) == 1
    assert (one.heard, other.heard) == (["Poisoned"], ["Poisoned"])


def test_one_crash_is_an_accident_even_of_a_row_that_was_alone(line: Line) -> None:
    caller = line.come("a")
    line.join()
    assert crash(line) == 0
    assert line.join() == "a0"
    line.end()
    assert caller.heard == ["a0"]


def test_what_comes_of_a_suspect_is_none(line: Line) -> None:
    line.come("a")
    line.come("b")
    line.join()
    crash(line)
    assert line.join() == "a0"
    line.end(says=halfway)
    assert line.join() == "b0"
    line.end(says=repetitive)
    assert line.join() == "a15 b0@0.2"


def test_a_suspect_who_leaves_keeps_nobody_waiting(line: Line) -> None:
    leaver = line.come("a", 2)
    line.come("b")
    line.join()
    crash(line)
    assert line.join() == "a0"
    leaver.abandoned = True
    line.forget()
    assert line.join() == "b0"
    line.end()
    line.come("c", 2)
    assert line.join() == "c0 c30"


def test_a_language_is_suspected_like_a_row_and_tried_before_the_rows(line: Line) -> None:
    row = line.come("row")
    line.join()
    good, bad = line.ask("good"), line.ask("bad")
    assert line.detecting() == "good0 bad0"
    assert crash(line) == 0
    late = line.ask("late", TINY)
    assert line.detect() == "good0"
    assert line.detecting() == "bad0"
    assert crash(line) == 2
    assert line.detect() == ""  # the row is suspected still
    assert line.join() == "row0"
    assert line.detect() == ""
    line.end()
    assert line.detect() == "late0"
    told = [caller.heard for caller in (good, bad, row, late)]
    assert told == [["de"], ["Poisoned"], ["row0"], ["de"]]


def test_a_new_engine_suspects_nobody_of_what_was_not_their_doing(line: Line) -> None:
    line.come("a", 2)
    line.join()
    line.waiting.begin(ROWS_MAX)
    line.batch.clear()
    assert line.join() == "a0 a30"


@pytest.mark.parametrize(("good_ones", "explained"), [(False, 0), (True, 2)])
def test_culprit_after_culprit_and_nothing_done_in_between_is_the_engines_fault(
    line: Line, good_ones: bool, explained: int
) -> None:
    def poison() -> int:
        caller = line.come("bad")
        line.join()
        crash(line)
        line.join()
        crashes = crash(line)
        assert caller.heard == ["Poisoned"]
        return crashes

    assert [poison() for _ in range(8)] == [2] * 8
    if good_ones:
        line.come("good")
        line.join()
        line.end()
    assert poison() == explained


def test_a_suspected_language_is_not_detected_beside_a_suspected_row() -> None:
    line = Line(rows_max=4)
    row = line.come("a", 1)
    line.join()
    line.ask("b")
    guilty = line.ask("c")
    assert line.detecting() == "b0 c0"
    line.crash(4)
    assert (line.detect(), line.join()) == ("b0", "a0")
    assert line.detecting() == ""  # or a0 would be blamed for what c0 does
    line.end()
    assert line.detecting() == "c0"
    line.crash(4)
    assert (row.heard, guilty.heard) == (["a0"], ["Poisoned"])


def test_a_bound_that_memory_has_set_grows_again_while_all_goes_well() -> None:
    line = Line(rows_max=4)
    line.come("a", 200)
    line.join()
    line.run_out()
    joined = []
    while line.waiting:
        joined.append(len(line.join().split()))
        line.end_all()
    assert joined[0] == 2
    assert max(joined) == 4
