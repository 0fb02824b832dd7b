"""Windows of an audio while speech is still being looked for in the rest of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from asr.pipeline.windows import Packer

if TYPE_CHECKING:
    from asr.actors.listener import Speech
    from asr.pipeline.audio import Audio
    from asr.pipeline.types import Found, Window

# Windows that are decoded together cost less than one by one: five minutes on two cores took 27 s
# with all of them together, 34 s with the first ones early. So the search is waited for, unless it
# will take longer than this; who watches the text is not kept waiting for all of it.
PATIENCE_S = 10.0
LIVE_PATIENCE_S = 1.0


class Ahead:
    """Gathers windows as speech is found."""

    def __init__(self, audio: Audio, speech: Speech, *, patience_s: float) -> None:
        self._patience_s = patience_s
        self._audio = audio
        self._speech = speech
        self._packer = Packer(audio)
        self._began_s = trio.current_time()
        self._done = False

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
            elif ready and not self._speech.waiting and self._left_s(found) >= self._patience_s:
                break
        return tuple(ready)

    def _left_s(self, found: Found) -> float:
        """How long the search will go on, if it goes on as it did."""
        took_s = trio.current_time() - self._began_s
        return took_s * (self._audio.duration_s - found.until_s) / max(found.until_s, 1.0)
