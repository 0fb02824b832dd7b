"""Whatever happens to those who wait, in any order: a machine plays callers and engine."""

from collections.abc import Callable

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from asr.actors.turns import Priority
from asr.pipeline.engine import ModelFolder, Row
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.types import Hypothesis
from tests.actors.fakes import BASE, TINY, said
from tests.actors.line import Line, halfway, repetitive

MODELS = st.sampled_from((BASE, TINY))
ENDINGS = st.sampled_from((said, repetitive, halfway))
WHAT_FAILS = {"InvalidRequest", "NotEnoughMemory", "Poisoned"}


class AnyOrder(RuleBasedStateMachine):
    """Callers come and leave, rows join, end and are refused, memory runs out, engines crash."""

    @initialize(rows_max=st.integers(1, 9))
    def open(self, rows_max: int) -> None:
        self.rows_max = rows_max
        self.line = Line(rows_max)
        self.suspects: set[Row] = set()  # in the batch when the engine crashed, and not ended since

    @rule(count=st.integers(1, 5), model=MODELS, priority=st.sampled_from(Priority))
    def come(self, count: int, model: ModelFolder, priority: Priority) -> None:
        self.line.come(f"caller{len(self.line.callers)}x", count, model, priority)

    @rule(model=MODELS)
    def ask(self, model: ModelFolder) -> None:
        self.line.ask(f"asker{len(self.line.callers)}x", model)

    @rule(seconds=st.floats(0, 15))
    def wait(self, seconds: float) -> None:
        self.line.now_s += seconds

    @precondition(lambda self: self.line.callers)
    @rule(which=st.integers(0))
    def leave(self, which: int) -> None:
        self.line.callers[which % len(self.line.callers)].abandoned = True

    @rule()
    def forget(self) -> None:
        stay = [row for row in self.line.batch if not self.line.owner(row).abandoned]
        self.line.forget()
        assert self.line.batch == stay

    @rule(room_for=st.integers(0, 9))
    def join(self, room_for: int) -> None:
        self.line.join(room_for)

    @rule()
    def join_and_be_refused(self) -> None:
        """The model cannot do what the first one asks for, of which others may run already."""
        before = len(self.line.batch)
        self.line.join()
        if new := self.line.batch[before:]:
            strangers = [row for row in new if self.line.owner(row) is self.line.owner(new[0])]
            self.line.batch = [row for row in self.line.batch if row not in strangers]
            for row in strangers:
                self.line.waiting.refuse(row, InvalidRequest("no"))
            self.line.forget()

    @precondition(lambda self: self.line.batch)
    @rule(which=st.integers(0), says=ENDINGS)
    def end(self, which: int, says: Callable[[Row], Hypothesis]) -> None:
        self.line.end(which % len(self.line.batch), says)

    @rule()
    def detect(self) -> None:
        self.line.detect()

    @precondition(lambda self: self.line.batch)
    @rule(detecting=st.booleans())
    def run_out(self, detecting: bool) -> None:
        asked = self.line.detecting().split() if detecting else []
        at_work = len(self.line.batch) + len(asked)
        self.line.run_out()
        assert at_work == 1 or len(self.line.join().split()) <= at_work // 2

    @precondition(lambda self: self.line.batch)
    @rule(detecting=st.booleans())
    def crash(self, detecting: bool) -> None:
        if detecting:
            self.line.detecting()
        self.suspects |= set(self.line.batch)
        self.line.crash(self.rows_max)

    @rule()
    def begin(self) -> None:
        self.line.waiting.begin(self.rows_max)
        self.line.batch.clear()

    @invariant()
    def the_batch_is_bounded_and_of_one_model(self) -> None:
        assert self.line.waiting.running == len(self.line.batch) <= self.rows_max
        assert {self.line.owner(row).model for row in self.line.batch} in [
            {self.line.waiting.model},
            set(),
        ]

    @invariant()
    def a_suspect_has_the_batch_to_itself(self) -> None:
        assert len(self.line.batch) <= 1 or self.suspects.isdisjoint(self.line.batch)

    @invariant()
    def windows_are_told_in_order(self) -> None:
        for caller in self.line.callers:
            starts_s = [each for each in caller.heard if each not in {*WHAT_FAILS, "de"}]
            assert [each.split("+")[0] for each in starts_s] == caller.names()[: len(starts_s)]

    def teardown(self) -> None:
        """Nobody comes any more, and everything that runs ends well: each turn brings something."""
        while self.line.waiting:
            left = self.line.forget()
            asked = self.line.detect()
            self.line.join()
            assert left or asked or self.line.batch or not self.line.waiting
            self.line.end_all()
        for caller in self.line.callers:
            assert caller.closed
            assert caller.abandoned or caller.answered or caller.heard[-1] in WHAT_FAILS


def test_whatever_happens_each_window_is_answered_once_from_a_bounded_batch_of_one_model() -> None:
    run_state_machine_as_test(AnyOrder, settings=settings(deadline=None))
