"""Windows of an audio while speech is still being looked for in the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import trio

from asr.pipeline.windows import Packer

if TYPE_CHECKING:
    from asr.actors.stages.addresses import Speech
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import Found, Window

GROUPS_MAX = 100  # of one file at work; while they are, the next one only grows
WINDOWS_EACH = 2  # for each of those who decode a file together, in a group that is given out early


class AheadPolicy(NamedTuple):
    """How windows are given out: early if the search will go on for longer than ``patience_s``.

    Groups given out early have ``windows_min`` at least, and ``at_once`` of them are at work.
    """

    patience_s: float
    windows_min: int = 1
    at_once: int = 1


# Windows that are decoded together cost less than one by one: five minutes on two cores took 27 s
# with all of them together, 34 s with the first ones early.
CALM = AheadPolicy(patience_s=10.0)
LIVE = AheadPolicy(patience_s=1.0)  # somebody watches the text
FIRST = AheadPolicy(patience_s=0.0)  # no more than these are needed


def helped_by(others: int) -> AheadPolicy:
    """That of windows which so many others help with: nobody waits for the end of the search.

    All groups are at work as soon as they are found: who has nothing to do takes of any.
    """
    return AheadPolicy(patience_s=0.0, windows_min=WINDOWS_EACH * (others + 1), at_once=GROUPS_MAX)


class Ahead:
    """Gathers windows as speech is found."""

    def __init__(self, audio: Audio, speech: Speech, policy: AheadPolicy) -> None:
        self._policy = policy
        self._audio = audio
        self._speech = speech
        self._packer = Packer(audio)
        self._began_s = trio.current_time()
        self._done = False

    @property
    def at_once(self) -> int:
        """How many groups of windows may be at work."""
        return self._policy.at_once

    async def windows(self) -> tuple[Window, ...]:
        """The next windows, in order of time: as many as there are; none at the end.

        Raises EngineRestarted.
        """
        ready: list[Window] = []
        while not self._done:
            found = await self._speech.more()
            ready += self._packer.add(found.spans)
            if found.done:
                self._done = True
                ready += self._packer.end()
            elif len(ready) >= self._policy.windows_min and self._would_wait(found):
                break
        return tuple(ready)

    def _would_wait(self, found: Found) -> bool:
        """Whether it would take too long until all windows are there."""
        return not self._speech.waiting and self._left_s(found) >= self._policy.patience_s

    def _left_s(self, found: Found) -> float:
        """How long the search will go on, if it goes on as it did."""
        took_s = trio.current_time() - self._began_s
        return took_s * (self._audio.duration_s - found.until_s) / max(found.until_s, 1.0)
