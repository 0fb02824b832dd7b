"""Windows are decoded while speech is still being looked for, if that takes long."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
from trio.testing import MockClock

from asr.actors.ahead import FIRST, LIVE, Ahead, AheadPolicy
from asr.pipeline.audio import Audio
from asr.pipeline.types import Found, Span, Window
from tests.fakes import pass_time

if TYPE_CHECKING:
    from asr.actors.listener import Speech

TOTAL_S = 1000.0
AUDIO = Audio(Path("never-read.raw"), round(TOTAL_S * 16_000))


class FakeSpeech:
    """Blocks of 100 s, all of it speech, that take so long; ``lag`` are there with the first."""

    def __init__(self, block_s: float, *, lag: int = 0) -> None:
        self._block_s = block_s
        self._blocks = self._found()
        self._lag = lag
        self._told = 0

    @property
    def waiting(self) -> bool:
        return 0 < self._told <= self._lag

    async def more(self) -> Found:
        if not self.waiting:
            await pass_time(self._block_s)
        self._told += 1
        return next(self._blocks)

    def _found(self) -> Iterator[Found]:
        for start in range(0, 1000, 100):
            spans = tuple(Span(start + i, start + i + 20) for i in range(0, 100, 20))
            yield Found(spans, start + 100, done=start == 900)


async def starts(speech: FakeSpeech, policy: AheadPolicy = LIVE) -> list[list[float]]:
    """When the windows start that are given out together."""
    ahead = Ahead(AUDIO, cast("Speech", speech), policy)
    groups = []
    while windows := await ahead.windows():
        groups.append(windows)
    together: list[Window] = [window for group in groups for window in group]
    assert together == sorted(together, key=lambda window: window.start_s)
    return [[window.start_s for window in group] for group in groups]


async def test_a_search_that_is_soon_over_is_waited_for(autojump_clock: MockClock) -> None:
    (all_of_them,) = await starts(FakeSpeech(0.1))  # 0.9 s to go after the first block
    assert len(all_of_them) == 50


async def test_one_that_takes_longer_is_not_until_it_is_nearly_over(
    autojump_clock: MockClock,
) -> None:
    groups = await starts(FakeSpeech(0.3))
    # 0.3 s a block: 1.2 s to go after the sixth, so that one is the last to be given out early.
    assert [len(group) for group in groups] == [4, 5, 5, 5, 5, 5, 21]


async def test_all_that_was_found_meanwhile_goes_together(autojump_clock: MockClock) -> None:
    groups = await starts(FakeSpeech(3.0, lag=5))
    assert len(groups[0]) == 29  # of six blocks, but the window that may go on


async def test_who_wants_the_first_window_gets_it(autojump_clock: MockClock) -> None:
    groups = await starts(FakeSpeech(0.0), FIRST)
    assert len(groups[0]) == 4


@pytest.mark.parametrize("spans", [(), (Span(990, 1000),)])
async def test_an_audio_ends_with_its_last_window(
    autojump_clock: MockClock, spans: tuple[Span, ...]
) -> None:
    speech = FakeSpeech(0.0)
    speech._blocks = iter([Found(spans, TOTAL_S, done=True)])
    assert await starts(speech) == [[990.0]] * len(spans)
