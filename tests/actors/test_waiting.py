from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asr.actors.waiting import Waiting
from asr.pipeline.engine import ModelFolder, Row
from asr.pipeline.errors import AsrError, InvalidRequest
from asr.pipeline.types import Decoding, Hypothesis
from tests.actors.fakes import BASE, TINY, name, names, said, windows

LADDER = Decoding("en", temperatures=(0.0, 0.2, 0.4))


@dataclass(eq=False)
class Caller:
    """Has room for one answer a window, and hears nothing after the end."""

    model: ModelFolder
    rows: tuple[Row, ...]
    heard: list[str] = field(default_factory=list)
    closed: bool = False
    abandoned: bool = False

    def send(self, answer: Hypothesis | AsrError) -> None:
        assert not self.closed
        assert len(self.heard) < len(self.rows)
        self.heard.append(name(answer.window) if isinstance(answer, Hypothesis) else answer.message)

    def close(self) -> None:
        self.closed = True


class Desk:
    """Those who wait, and the rows that the engine has in its batch."""

    def __init__(self, rows_max: int) -> None:
        self.waiting = Waiting(rows_max)
        self.callers: list[Caller] = []
        self.batch: list[Row] = []

    def come(self, who: str, count: int, model: ModelFolder = BASE) -> Caller:
        rows = tuple(Row(window, LADDER) for window in windows(who, count))
        self.callers.append(Caller(model, rows))
        self.waiting.add(model, rows, self.callers[-1])
        return self.callers[-1]

    def join(self) -> str:
        """The names of the rows that join now."""
        joins = self.waiting.next_rows()
        rows = joins[1] if joins else ()
        self.batch += rows
        return names(rows)

    def forget(self) -> str:
        """The names of the rows that leave now."""
        rows = self.waiting.forget_abandoned()
        assert set(rows) <= set(self.batch)
        self.batch = [row for row in self.batch if row not in rows]
        return names(sorted(rows, key=lambda row: row.window.start_s))

    def end(self, which: int = 0, says: Callable[[Row], Hypothesis] = said) -> None:
        row = self.batch.pop(which)
        self.waiting.finish(row, says(row))

    def end_all(self, says: Callable[[Row], Hypothesis] = said) -> None:
        while self.batch:
            self.end(says=says)

    def owner(self, row: Row) -> Caller:
        return next(c for c in self.callers if row.window in [own.window for own in c.rows])


def repetitive(row: Row) -> Hypothesis:
    """What is worth another try."""
    return said(row, compression_ratio=3.0)


class AnyOrder(RuleBasedStateMachine):
    """Callers come and leave, rows join, end, fail and are refused, in any order."""

    @initialize(rows_max=st.integers(1, 4))
    def open(self, rows_max: int) -> None:
        self.rows_max = rows_max
        self.desk = Desk(rows_max)

    @rule(count=st.integers(1, 5), model=st.sampled_from((BASE, TINY)))
    def come(self, count: int, model: ModelFolder) -> None:
        self.desk.come(f"caller{len(self.desk.callers)}x", count, model)

    @precondition(lambda self: self.desk.callers)
    @rule(which=st.integers(0))
    def leave(self, which: int) -> None:
        self.desk.callers[which % len(self.desk.callers)].abandoned = True

    @rule()
    def forget(self) -> None:
        stay = [row for row in self.desk.batch if not self.desk.owner(row).abandoned]
        self.desk.forget()
        assert self.desk.batch == stay

    @rule()
    def join(self) -> None:
        self.desk.join()

    @rule()
    def join_and_be_refused(self) -> None:
        """The model cannot do what the first one asks for, of which others may run already."""
        before = len(self.desk.batch)
        self.desk.join()
        if new := self.desk.batch[before:]:
            strangers = [row for row in new if self.desk.owner(row) is self.desk.owner(new[0])]
            self.desk.batch = [row for row in self.desk.batch if row not in strangers]
            for row in strangers:
                self.desk.waiting.refuse(row, InvalidRequest("no"))
            self.desk.forget()

    @precondition(lambda self: self.desk.batch)
    @rule(which=st.integers(0), says=st.sampled_from((said, repetitive)))
    def end(self, which: int, says: Callable[[Row], Hypothesis]) -> None:
        self.desk.end(which % len(self.desk.batch), says)

    @invariant()
    def the_batch_is_bounded_and_of_one_model(self) -> None:
        assert self.desk.waiting.running == len(self.desk.batch) <= self.rows_max
        assert {self.desk.owner(row).model for row in self.desk.batch} in [
            {self.desk.waiting.model},
            set(),
        ]

    def teardown(self) -> None:
        """Nobody comes any more, and everything that runs ends well."""
        while self.desk.waiting:
            self.desk.forget()
            self.desk.join()
            self.desk.end_all()
        for caller in self.desk.callers:
            everything = sorted(name(row.window) for row in caller.rows)
            assert caller.closed
            assert (
                caller.abandoned or caller.heard[-1] == "no" or sorted(caller.heard) == everything
            )


def test_whatever_happens_each_window_is_answered_once_from_a_bounded_batch_of_one_model() -> None:
    run_state_machine_as_test(AnyOrder, settings=settings(deadline=None))


@given(st.lists(st.integers(1, 50), max_size=8), st.integers(1, 6), st.integers(0, 20))
def test_a_window_is_overtaken_by_at_most_one_of_each_request_that_was_there(
    longs: list[int], rows_max: int, turns_before: int
) -> None:
    desk = Desk(rows_max)
    for number, count in enumerate(longs):
        desk.come(f"long{number}x", count)
    for _ in range(turns_before):
        desk.join()
        desk.end_all()
    desk.come("short", 1)
    order: list[str] = []
    while "short0" not in order:
        order += desk.join().split()
        desk.end(says=repetitive)  # who has to try again queues up again
    assert order.index("short0") <= len(longs)


@given(
    st.lists(st.tuples(st.integers(1, 20), st.sampled_from((BASE, TINY))), max_size=8),
    st.integers(1, 6),
)
def test_each_time_that_rows_join_a_request_is_one_nearer_to_its_turn_whatever_its_model(
    longs: list[tuple[int, ModelFolder]], rows_max: int
) -> None:
    desk = Desk(rows_max)
    for number, (count, model) in enumerate(longs):
        desk.come(f"long{number}x", count, model)
    desk.come("short", 1, TINY)
    joins: list[str] = []
    while not any("short" in rows for rows in joins):
        joins += filter(None, [desk.join()])
        desk.end()
    assert len(joins) <= len(longs) + 1


def test_requests_give_a_row_each_in_turn_and_a_free_row_is_filled_at_once() -> None:
    desk = Desk(rows_max=4)
    desk.come("a", 4)
    desk.come("b", 2)
    assert desk.join() == "a0 b0 a30 b30"
    assert desk.join() == ""
    desk.come("c", 1)
    desk.end(which=1)
    assert desk.join() == "a60"  # a came before c
    desk.end(which=0)
    assert desk.join() == "c0"


def test_two_models_take_turns_and_the_batch_runs_empty_in_between() -> None:
    desk = Desk(rows_max=2)
    desk.come("a", 5, BASE)
    desk.come("b", 3, TINY)
    batches: list[str] = []
    while desk.waiting:
        batches.append(desk.join())
        desk.end()
        batches.append(desk.join())
        desk.end_all()
    assert [batch for batch in batches if batch] == ["a0 a30", "b0 b30", "a60 a90", "b60", "a120"]


def test_a_row_that_looks_wrong_comes_back_warmer_and_only_it() -> None:
    desk = Desk(rows_max=2)
    caller = desk.come("a", 3)
    assert desk.join() == "a0 a30"
    desk.end(says=repetitive)
    desk.end()
    assert desk.join() == "a0@0.2 a60"
    desk.end(says=repetitive)
    desk.end()
    assert desk.join() == "a0@0.4"
    assert caller.heard == ["a30", "a60"]
    desk.end(says=repetitive)  # there is no warmer one: it is the answer
    assert (caller.heard, caller.closed) == (["a30", "a60", "a0"], True)
    assert not desk.waiting


def test_who_leaves_gives_back_the_rows_that_run_and_never_joins_again() -> None:
    desk = Desk(rows_max=3)
    leaver, stayer = desk.come("a", 4), desk.come("b", 2)
    assert desk.join() == "a0 b0 a30"
    leaver.abandoned = True
    assert desk.waiting.windows == 3
    assert desk.forget() == "a0 a30"
    assert desk.waiting.windows == 1
    assert desk.forget() == ""
    assert desk.join() == "b30"
    desk.end_all()
    assert (leaver.heard, leaver.closed) == ([], True)
    assert (stayer.heard, stayer.closed) == (["b0", "b30"], True)
    assert not desk.waiting


def test_what_ends_for_somebody_who_was_struck_in_the_same_turn_is_told_to_nobody() -> None:
    desk = Desk(rows_max=1)
    caller = desk.come("a", 1)
    desk.join()
    caller.abandoned = True
    desk.waiting.forget_abandoned()
    desk.end()
    assert caller.heard == []


def test_a_refusal_ends_its_request_whose_running_rows_leave_at_the_next_turn() -> None:
    desk = Desk(rows_max=2)
    refused, other = desk.come("a", 3), desk.come("b", 2)
    assert desk.join() == "a0 b0"
    desk.end(which=1)
    assert desk.join() == "a30"
    desk.waiting.refuse(desk.batch.pop(), InvalidRequest("no"))
    assert (refused.heard, refused.closed) == (["no"], True)
    assert desk.forget() == "a0"
    assert desk.join() == "b30"
    desk.end()
    assert (other.heard, other.closed) == (["b0", "b30"], True)
    assert not desk.waiting


def test_there_is_work_until_the_rows_of_a_refused_request_have_left() -> None:
    desk = Desk(rows_max=2)
    desk.come("a", 2)
    desk.join()
    desk.waiting.refuse(desk.batch.pop(), InvalidRequest("no"))
    assert desk.waiting
    assert desk.forget() == "a0"
    assert not desk.waiting


def test_leaving_tells_everybody_that_there_will_be_no_more() -> None:
    desk = Desk(rows_max=1)
    with desk.waiting:
        running, waiting = desk.come("a", 1), desk.come("b", 1)
        desk.join()
        assert (running.closed, waiting.closed) == (False, False)
    assert (running.closed, waiting.closed) == (True, True)
