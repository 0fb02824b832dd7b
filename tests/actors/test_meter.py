import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.actors.meter import Meter


def test_a_meter_that_has_seen_no_work_shows_nothing() -> None:
    assert Meter().tokens_per_s == 0


def test_the_speed_is_that_of_the_last_5_s_of_work() -> None:
    meter = Meter()
    for tokens in (1000, 10, 10, 10, 10, 10):
        meter.worked(1.0)
        meter.said(tokens)
    assert meter.tokens_per_s == pytest.approx(10)


@given(st.lists(st.tuples(st.floats(0.0001, 2), st.integers(0, 300)), min_size=1, max_size=300))
def test_short_turns_and_long_ones_make_the_same_speed(turns: list[tuple[float, int]]) -> None:
    meter = Meter()
    for took_s, tokens in turns:
        meter.worked(took_s)
        meter.said(tokens)
    speeds = [tokens / took_s for took_s, tokens in turns]
    assert min(speeds) * 0.999 <= meter.tokens_per_s + 1e-6
    assert meter.tokens_per_s <= max(speeds) * 1.001
