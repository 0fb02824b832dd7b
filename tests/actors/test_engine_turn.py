"""A turn of the batch, as the engine's thread sees it."""

from asr.actors.engine_turn import Turn, take_turn
from asr.pipeline.engine import Row
from asr.pipeline.errors import InvalidRequest, ModelUnavailable
from tests.actors.fake_engine import Script
from tests.actors.fakes import BASE, ENGLISH, LOST, UNKNOWN, so_far, windows

FIRST, SECOND, THIRD = (Row(window, ENGLISH) for window in windows("a", 3))
FOREIGN = Row(windows("b", 1)[0], UNKNOWN)


def test_text_is_asked_only_of_rows_that_are_in_the_batch_and_stay_there() -> None:
    script = Script(has_room_for=2, turns=lambda row: 1 if row is FIRST else 2)
    rows = (FIRST, FOREIGN, SECOND, THIRD)
    outcome = take_turn(script.engine(), Turn(BASE, joining=rows, growing=rows))
    assert outcome.said
    assert [row for row, _ in outcome.said.finished] == [FIRST]
    assert [(row, type(error)) for row, error in outcome.refused] == [(FOREIGN, InvalidRequest)]
    assert list(outcome.left_out) == [THIRD]
    assert outcome.grown == ((SECOND, so_far(SECOND, " word")),)


def test_rows_that_are_decoded_alike_are_checked_once() -> None:
    script = Script()
    outcome = take_turn(script.engine(), Turn(LOST, joining=(FIRST, SECOND)))
    assert [type(error) for _, error in outcome.refused] == [ModelUnavailable] * 2
    assert script.record == ["load lost"]
