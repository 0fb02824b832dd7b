"""What is said of the time that is left follows from what was measured, or is not said."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr.actors.forecast import KINDS_MAX, Forecast, Speeds


def test_the_speed_of_a_kind_is_not_known_before_one_of_it_is_done() -> None:
    speeds = Speeds()
    speeds.record("tiny", 60.0, 3.0)
    assert speeds.of("large") is None
    assert speeds.of("tiny") == pytest.approx(0.05)


def test_long_audio_counts_for_more_than_short_and_new_for_more_than_old() -> None:
    speeds = Speeds()
    speeds.record("base", 1.0, 10.0)  # it had to be loaded first
    speeds.record("base", 100.0, 10.0)
    assert speeds.of("base") == pytest.approx(18 / 100.8)
    for _ in range(20):
        speeds.record("base", 100.0, 50.0)
    assert speeds.of("base") == pytest.approx(0.5, rel=0.02)


def test_no_more_kinds_are_remembered_than_that() -> None:
    speeds = Speeds()
    for number in range(KINDS_MAX + 1):
        speeds.record(number, 1.0, 1.0)
        speeds.record("often", 1.0, 1.0)
    assert [number for number in range(KINDS_MAX + 1) if speeds.of(number) is None] == [0, 1]
    assert speeds.of("often") == 1.0


def test_silence_makes_no_speed() -> None:
    speeds = Speeds()
    speeds.record("base", 0.0, 1.0)
    assert speeds.of("base") is None


def test_nothing_is_known_before_anything_is_done() -> None:
    forecast = Forecast(60.0, None, now_s=100.0)
    assert forecast.left_s(now_s=105.0) is None


def test_what_is_usual_is_believed_until_it_has_passed() -> None:
    forecast = Forecast(60.0, 0.5, now_s=100.0)
    assert forecast.left_s(now_s=100.0) == 30.0
    assert forecast.left_s(now_s=120.0) == 10.0
    assert forecast.left_s(now_s=131.0) is None  # it takes longer, and nobody knows how long


def test_its_own_speed_counts_for_as_much_as_is_done() -> None:
    forecast = Forecast(100.0, 0.1, now_s=0.0)
    forecast.advance(50.0, now_s=25.0)  # 0.5 s a second
    assert forecast.left_s(now_s=25.0) == pytest.approx(50 * 0.2)  # a quarter of the way to that
    assert forecast.left_s(now_s=30.0) == pytest.approx(50 * 0.2 - 5)
    assert forecast.left_s(now_s=50.0) == pytest.approx(50.0)  # 50 s for half of it
    forecast.advance(100.0, now_s=60.0)
    assert forecast.left_s(now_s=61.0) == 0.0


@pytest.mark.parametrize(("audio_s", "done_s"), [(60.0, 15.0), (3600.0, 120.0)])
def test_how_a_request_begins_says_nothing_of_how_it_goes_on(audio_s: float, done_s: float) -> None:
    forecast = Forecast(audio_s, None, now_s=0.0)
    forecast.advance(done_s - 1, now_s=10.0)
    assert forecast.left_s(now_s=10.0) is None
    forecast.advance(done_s, now_s=12.0)
    assert forecast.left_s(now_s=12.0) == pytest.approx(12 / done_s * (audio_s - done_s))


@given(
    usual=st.none() | st.floats(0.001, 10),
    steps=st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50)), max_size=20),
)
def test_it_is_never_below_nothing(usual: float | None, steps: list[tuple[float, float]]) -> None:
    forecast, now_s, done_s = Forecast(1000.0, usual, now_s=0.0), 0.0, 0.0
    for took_s, more_s in steps:
        now_s, done_s = now_s + took_s, done_s + more_s
        forecast.advance(done_s, now_s=now_s)
        left_s = forecast.left_s(now_s=now_s)
        assert left_s is None or left_s >= 0
