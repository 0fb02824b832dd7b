"""Groups of windows are decoded as the policy says, and heard in the order of the audio."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.actors.groups import Groups
from asr.actors.trail import Trail, begin
from asr.actors.turns import Priority
from asr.pipeline.engine import ModelFolder, Row
from asr.pipeline.errors import EngineRestarted, InvalidRequest
from asr.pipeline.types import Decoding, Detected
from tests.actors.fakes import ENGLISH, said, windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.ahead import Ahead
    from asr.actors.request import Heard
    from asr.pipeline.errors import AsrError
    from asr.pipeline.types import Hypothesis, Window

MODEL = ModelFolder("base", Path("nowhere"))
WINDOWS = windows("a", 6)


class Found:
    """What is found ahead: groups of windows, and then nothing, or an error."""

    def __init__(self, *sizes: int, at_once: int, error: AsrError | None = None) -> None:
        left = deque(WINDOWS)
        self._groups = deque(tuple(left.popleft() for _ in range(size)) for size in sizes)
        self._error = error
        self.at_once = at_once

    async def windows(self) -> tuple[Window, ...]:
        await trio.lowlevel.checkpoint()
        if not self._groups and self._error:
            raise self._error
        return self._groups.popleft() if self._groups else ()


class Decoder:
    """Answers a group when the test says so, by the number of its first window."""

    def __init__(self) -> None:
        self.asked: dict[int, trio.Event] = {}
        self.errors: dict[int, AsrError] = {}
        self.languages: list[str] = []
        self.left: list[int] = []

    async def detect(self, _model: ModelFolder, _window: Window) -> Detected:
        await trio.lowlevel.checkpoint()
        return Detected("nl", 1.0)

    async def decode(
        self,
        _model: ModelFolder,
        windows: tuple[Window, ...],
        decoding: Decoding,
        *,
        heard: Callable[[Heard], None],
        **_more: object,
    ) -> list[Hypothesis]:
        first = WINDOWS.index(windows[0])
        self.languages.append(decoding.language)
        self.asked[first] = trio.Event()
        try:
            await self.asked[first].wait()
        except trio.Cancelled:
            self.left.append(first)
            raise
        if error := self.errors.get(first):
            raise error
        for window in windows:
            heard((said(Row(window, ENGLISH)),))
        return []


class Setting:
    """Groups on their way, and the windows that were heard, by their numbers."""

    def __init__(self, language: str | None = None) -> None:
        self.decoder = Decoder()
        self.language = language or "nl"
        self.heard: list[int] = []
        self.groups = Groups(
            self.decoder,  # type: ignore[arg-type]
            MODEL,
            Priority.BATCH,
            Decoding,
            self._hear,
            None,
            language,
        )

    def _hear(self, answer: Heard, language: str) -> None:
        assert language == self.language
        self.heard.append(WINDOWS.index(answer[0].window))

    async def decode(self, found: Found) -> None:
        await self.groups.decode(cast("Ahead", found))


@pytest.fixture
def setting() -> Setting:
    return Setting()


async def test_groups_are_heard_in_order_whichever_is_answered_first(
    setting: Setting, nursery: trio.Nursery
) -> None:
    nursery.start_soon(setting.decode, Found(2, 1, 3, at_once=3))
    await wait_all_tasks_blocked()
    asked = setting.decoder.asked
    assert [*asked] == [0, 2, 3]
    for first, heard in ((3, []), (0, [0, 1]), (2, [0, 1, 2, 3, 4, 5])):
        asked[first].set()
        await wait_all_tasks_blocked()
        assert setting.heard == heard
    assert setting.groups.count == 6
    assert setting.decoder.languages == ["nl"] * 3


async def test_as_many_groups_are_at_work_as_the_policy_says(
    setting: Setting, nursery: trio.Nursery
) -> None:
    nursery.start_soon(setting.decode, Found(1, 1, 1, 3, at_once=2))
    asked = setting.decoder.asked
    for first, known in ((1, [0, 1]), (0, [0, 1, 2]), (3, [0, 1, 2, 3]), (2, [0, 1, 2, 3])):
        await wait_all_tasks_blocked()
        assert [*asked] == known
        asked[first].set()
    await wait_all_tasks_blocked()
    assert setting.heard == [0, 1, 2, 3, 4, 5]


async def test_what_goes_wrong_in_a_group_is_raised_as_it_is_and_ends_the_others(
    setting: Setting, nursery: trio.Nursery
) -> None:
    setting.decoder.errors[1] = InvalidRequest("no such prompt", param="prompt")
    raised: list[AsrError] = []

    trail = Trail("r1")

    async def decode() -> None:
        with begin(trail), pytest.raises(InvalidRequest) as failed:
            await setting.decode(Found(1, 1, 4, at_once=2))
        raised.append(failed.value)

    nursery.start_soon(decode)
    await wait_all_tasks_blocked()
    setting.decoder.asked[1].set()
    await wait_all_tasks_blocked()
    assert raised == [setting.decoder.errors[1]]
    assert (setting.decoder.left, trail.left_in) == ([0], None)
    assert setting.heard == []


async def test_a_search_that_breaks_off_ends_what_is_decoded(
    setting: Setting, nursery: trio.Nursery
) -> None:
    broken = EngineRestarted()
    raised: list[AsrError] = []

    async def decode() -> None:
        with pytest.raises(EngineRestarted) as failed:
            await setting.decode(Found(2, at_once=2, error=broken))
        raised.append(failed.value)

    nursery.start_soon(decode)
    await wait_all_tasks_blocked()
    assert raised == [broken]
    assert setting.decoder.left == [0]


async def test_a_language_that_was_given_is_not_looked_for(nursery: trio.Nursery) -> None:
    setting = Setting(language="de")
    nursery.start_soon(setting.decode, Found(2, at_once=1))
    await wait_all_tasks_blocked()
    setting.decoder.asked[0].set()
    await wait_all_tasks_blocked()
    assert (setting.decoder.languages, setting.heard) == (["de"], [0, 1])
