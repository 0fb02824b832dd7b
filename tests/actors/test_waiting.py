"""Who joins the batch, in which order, and what callers hear of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.actors.turns import Priority
from asr.pipeline.engine import ModelFolder
from asr.pipeline.errors import InvalidRequest
from tests.actors.fakes import BASE, TINY
from tests.actors.line import Line, halfway, repetitive

BATCH = Priority.BATCH


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(1, 6), st.integers(0, 20))
def test_a_window_is_overtaken_by_at_most_one_of_each_request_that_was_there(
    longs: list[int], rows_max: int, turns_before: int
) -> None:
    line = Line(rows_max)
    for number, count in enumerate(longs):
        line.come(f"long{number}x", count)
    for _ in range(turns_before):
        line.join()
        line.end_all()
    line.come("short")
    order: list[str] = []
    while "short0" not in order:
        order += line.join().split()
        line.end(says=repetitive)  # who has to try again queues up again
    assert order.index("short0") <= len(longs)


@given(
    st.lists(st.tuples(st.integers(1, 20), st.sampled_from((BASE, TINY))), max_size=8),
    st.integers(1, 6),
)
def test_each_time_that_rows_join_a_request_is_one_nearer_to_its_turn_whatever_its_model(
    longs: list[tuple[int, ModelFolder]], rows_max: int
) -> None:
    line = Line(rows_max)
    for number, (count, model) in enumerate(longs):
        line.come(f"long{number}x", count, model)
    line.come("short", 1, TINY)
    joins: list[str] = []
    while not any("short" in rows for rows in joins):
        joins += filter(None, [line.join()])
        line.end()
    assert len(joins) <= len(longs) + 1


def test_requests_give_a_row_each_in_turn_and_a_free_row_is_filled_at_once() -> None:
    line = Line(rows_max=4)
    line.come("a", 4)
    line.come("b", 2)
    assert line.join() == "a0 b0 a30 b30"
    assert line.join() == ""
    line.come("c")
    line.end(which=1)
    assert line.join() == "a60"  # a came before c
    line.end(which=0)
    assert line.join() == "c0"


def test_two_models_take_turns_and_the_batch_runs_empty_in_between() -> None:
    line = Line(rows_max=2)
    line.come("a", 5, BASE)
    line.come("b", 3, TINY)
    batches: list[str] = []
    while line.waiting:
        batches.append(line.join())
        line.end()
        batches.append(line.join())
        line.end_all()
    assert [batch for batch in batches if batch] == ["a0 a30", "b0 b30", "a60 a90", "b60", "a120"]


def test_who_sits_and_waits_goes_before_who_does_not() -> None:
    line = Line(rows_max=2)
    line.come("files", 3, priority=BATCH)
    line.come("folder", 3, priority=BATCH)
    assert line.join() == "files0 folder0"
    line.come("a", 2)
    line.come("b", 2)
    line.end_all()
    assert line.join() == "a0 b0"
    line.end_all()
    assert line.join() == "a30 b30"
    line.end_all()
    assert line.join() == "files30 folder30"


def test_who_was_given_no_row_for_20_s_goes_first_and_then_waits_as_before() -> None:
    line = Line(rows_max=1)
    line.come("files", 3, priority=BATCH)
    joined: list[str] = []
    for _ in range(9):  # somebody comes every 5 s, and a row takes 5 s
        line.come(f"caller{len(joined)}x")
        joined.append(line.join())
        line.end_all()
        line.now_s += 5
    assert [who for who in joined if who.startswith("files")] == ["files0", "files30"]
    assert (joined.index("files0"), joined.index("files30")) == (4, 8)


def test_of_several_who_waited_too_long_the_longest_goes_first() -> None:
    line = Line(rows_max=1)
    line.come("files", 2, priority=BATCH)
    line.now_s += 1
    line.come("a", 2)
    line.now_s += 20
    assert line.join() == "files0"
    line.end()
    assert line.join() == "a0"


@pytest.mark.parametrize(("rows", "steps"), [(4, 1), (8, 1), (32, 4), (128, 16)])
def test_the_more_rows_run_the_more_steps_they_take_before_they_stop_for_others(
    rows: int, steps: int
) -> None:
    line = Line(rows_max=rows + 2)
    line.come("a", rows)
    line.join()
    for late in ("b", "c"):
        line.come(late, 1)
        assert [line.join() for _ in range(steps)] == [""] * (steps - 1) + [f"{late}0"]


def test_languages_are_told_when_the_batch_stops_for_rows_before_those_join() -> None:
    line = Line(rows_max=66)
    line.come("a", 64)
    line.join()
    for late in ("b", "c"):
        line.come(late, 1)
        line.ask(f"{late}?")
        turns = [(line.detect(), line.join()) for _ in range(8)]
        assert turns == [("", "")] * 7 + [(f"{late}?0", f"{late}0")]


def test_whoever_comes_to_an_empty_batch_need_not_wait() -> None:
    line = Line(rows_max=128)
    line.come("a", 64)
    line.join()
    line.end_all()
    line.come("b", 1)
    assert line.join() == "b0"


def test_those_who_want_another_model_make_no_group() -> None:
    line = Line(rows_max=16)
    line.come("a", 17)
    line.come("b", 5, TINY)
    line.join()
    line.end()
    line.come("c", priority=Priority.INTERACTIVE)
    assert line.join() == ""  # b's turn: nobody joins until the batch has run empty
    line.end_all()
    assert line.join() == "b0 b30 b60 b90 b120"


def test_windows_are_answered_in_order_and_what_is_known_early_is_held_back() -> None:
    line = Line(rows_max=3)
    caller = line.come("a", 3)
    line.join()
    line.end(which=1)
    line.end(which=1)
    assert caller.heard == []
    line.end()
    assert (caller.heard, caller.closed) == (["a0", "a30", "a60"], True)


def test_what_the_model_left_of_a_window_is_heard_next_and_answered_with_it() -> None:
    line = Line(rows_max=1)
    caller = line.come("a", 2)
    looks: list[str] = []
    for _ in range(3):
        looks.append(line.join())
        line.end(says=halfway)
    assert caller.heard == []
    looks.append(line.join())
    line.end()
    assert looks == ["a0", "a15", "a22.5", "a26.25"]
    assert caller.heard == ["a0+a15+a22.5+a26.25"]
    assert line.join() == "a30"


def test_a_row_that_looks_wrong_comes_back_warmer_and_only_it() -> None:
    line = Line(rows_max=2)
    caller = line.come("a", 3)
    assert line.join() == "a0 a30"
    line.end(says=repetitive)
    line.end()
    assert line.join() == "a0@0.2 a60"
    line.end(says=repetitive)
    line.end()
    assert line.join() == "a0@0.4"
    assert caller.heard == []
    line.end(says=repetitive)  # there is no warmer one: it is the answer
    assert (caller.heard, caller.closed) == (["a0", "a30", "a60"], True)
    assert not line.waiting


def test_a_rest_is_tried_cold_again() -> None:
    line = Line(rows_max=1)
    line.come("a")
    line.join()
    line.end(says=repetitive)
    assert line.join() == "a0@0.2"
    line.end(says=halfway)
    assert line.join() == "a15"


def test_who_leaves_gives_back_the_rows_that_run_and_never_joins_again() -> None:
    line = Line(rows_max=3)
    leaver, stayer = line.come("a", 4), line.come("b", 2)
    assert line.join() == "a0 b0 a30"
    leaver.abandoned = True
    assert line.waiting.windows == 3
    assert line.forget() == "a0 a30"
    assert line.waiting.windows == 1
    assert line.forget() == ""
    assert line.join() == "b30"
    line.end_all()
    assert (leaver.heard, leaver.closed) == ([], True)
    assert (stayer.heard, stayer.closed) == (["b0", "b30"], True)
    assert not line.waiting


def test_a_model_is_wanted_until_its_rows_have_left() -> None:
    line = Line(rows_max=1)
    caller = line.come("a")
    line.join()
    caller.abandoned = True
    assert line.waiting.wants("base")
    line.forget()
    assert not line.waiting.wants("base")


def test_what_ends_for_somebody_who_was_struck_in_the_same_turn_is_told_to_nobody() -> None:
    line = Line(rows_max=1)
    caller = line.come("a")
    line.join()
    caller.abandoned = True
    line.waiting.forget_abandoned()
    line.end()
    assert caller.heard == []


def test_a_refusal_ends_its_request_whose_running_rows_leave_at_the_next_turn() -> None:
    line = Line(rows_max=2)
    refused, other = line.come("a", 3), line.come("b", 2)
    assert line.join() == "a0 b0"
    line.end(which=1)
    assert line.join() == "a30"
    line.waiting.refuse(line.batch.pop(), InvalidRequest("no"))
    assert (refused.heard, refused.closed) == (["InvalidRequest"], True)
    assert line.forget() == "a0"
    assert line.join() == "b30"
    line.end()
    assert (other.heard, other.closed) == (["b0", "b30"], True)
    assert not line.waiting


def test_there_is_work_until_the_rows_of_a_refused_request_have_left() -> None:
    line = Line(rows_max=2)
    line.come("a", 2)
    line.join()
    line.waiting.refuse(line.batch.pop(), InvalidRequest("no"))
    assert line.waiting
    assert line.forget() == "a0"
    assert not line.waiting


def test_languages_of_one_model_are_detected_together_in_order_of_arrival() -> None:
    line = Line(rows_max=32)
    line.ask("tiny", TINY)
    callers = [line.ask(f"a{number}x") for number in range(20)]
    leaver = line.ask("late", TINY)
    leaver.abandoned = True
    assert line.detect() == "tiny0"
    assert line.detect() == " ".join(f"a{number}x0" for number in range(16))
    assert line.detect() == " ".join(f"a{number}x0" for number in range(16, 20))
    assert line.detect() == ""
    assert all((c.heard, c.closed) == (["de"], True) for c in callers)
    assert (leaver.heard, leaver.closed) == ([], True)
    assert not line.waiting


def test_closing_tells_everybody_that_there_will_be_no_more() -> None:
    line = Line(rows_max=1)
    callers = [line.come("a"), line.come("b"), line.ask("c")]
    line.join()
    assert not any(caller.closed for caller in callers)
    line.waiting.close()
    assert all(caller.closed for caller in callers)
