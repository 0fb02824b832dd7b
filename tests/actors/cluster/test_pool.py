"""What several decode is taken in shares, and by nobody when nobody asks any more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import trio

from asr.actors.cluster.pool import LATE_S, SHARE_MAX, SHARE_MIN, Away, Pool, Question
from asr.actors.turns import Priority
from asr.pipeline.audio import Audio
from asr.pipeline.engine import ModelFolder
from asr.pipeline.types import Decoding, Window

if TYPE_CHECKING:
    from trio.testing import MockClock


def asked(windows: tuple[Window, ...]) -> Question:
    model = ModelFolder("base", Path("nowhere"))
    return Question(model, windows, Decoding("de"), Priority.BATCH, lambda _heard: None, None)


def test_shares_are_the_smaller_the_less_is_left() -> None:
    pool, audio = Pool(lanes=4), Audio(Path("never-read"), 0)
    windows = tuple(Window(audio, at, at + 1) for at in range(400))
    pool.add(asked(windows))
    sizes: list[int] = []
    while part := pool.take():
        assert part.windows == windows[sum(sizes) : sum(sizes) + len(part.places)]
        sizes.append(len(part.places))
    assert sizes[0] == SHARE_MAX
    assert sizes == sorted(sizes, reverse=True)
    assert set(sizes[-4:-1]) == {SHARE_MIN}
    assert sum(sizes) == 400


async def test_what_is_away_is_late_after_a_while_and_who_is_slow_here_waits_longer(
    mock_clock: MockClock,
) -> None:
    pool, audio = Pool(lanes=1), Audio(Path("never-read"), 0)
    question = asked(tuple(Window(audio, at, at + 1) for at in range(40)))
    pool.add(question)
    away: list[Away] = []
    for _ in range(2):
        part = pool.take()
        assert part is not None
        away.append(Away(part, trio.CancelScope()))
        pool.away.add(away[-1])
        mock_clock.jump(1)
    mock_clock.jump(LATE_S - 2)
    assert pool.late() is away[0]
    away[0].twin = trio.CancelScope()
    assert pool.late() is None
    pool.took(LATE_S)
    mock_clock.jump(LATE_S)
    assert pool.late() is None
    mock_clock.jump(1)
    assert pool.late() is away[1]


async def test_what_nobody_asks_any_more_is_not_taken_again(mock_clock: MockClock) -> None:
    pool, audio = Pool(lanes=1), Audio(Path("never-read"), 0)
    windows = tuple(Window(audio, at, at + 1) for at in range(4))
    one, other = asked(windows), asked(windows)
    pool.add(one)
    part = pool.take()
    assert part is not None
    with one.work() as waiting:
        away = Away(part, waiting)
        pool.away.add(away)
        pool.drop(one)
        assert waiting.cancel_called
        mock_clock.jump(LATE_S)
        assert pool.late() is None
    pool.give_back(away)
    assert pool.take() is None
    pool.add(other)
    assert (taken := pool.take()) is not None
    assert taken.question is other
