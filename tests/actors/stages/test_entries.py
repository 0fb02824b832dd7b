"""What is known of an audio is found, or worked on, and belongs to the job that asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import trio

from asr.actors.stages.entries import Entries, Packing
from asr.pipeline.identity import AudioKeys

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from asr.actors.stages.keep import Keep
    from asr.actors.stages.shared import Shared, Told, Work

TEXT = Packing(str.encode, bytes.decode)


class Forgetful:
    """A keep that has what is asked for the first time, and then nothing any more."""

    def __init__(self) -> None:
        self.asked = 0

    async def get(self, keys: Sequence[str], *, job: str = "") -> Mapping[str, bytes]:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        return {key: b"kept" for key in keys} if self.asked == 1 else {}

    def put(self, key: str, value: bytes, *, job: str = "") -> None: ...


class Interrupted:
    """Has the answers asked for, is stopped after the first, and asks for the others anew."""

    async def ask(
        self, keys: Sequence[str], work: Work[str], told: Told[str], **_rest: object
    ) -> None:
        with trio.CancelScope() as scope:

            def tell(place: int, answer: str, /) -> None:
                told(place, answer)
                scope.cancel()

            await work(range(len(keys)), tell)
        await work(range(1, len(keys)), told)


async def test_what_was_found_and_is_gone_before_it_was_told_is_worked_on() -> None:
    keep, shared = cast("Keep", Forgetful()), cast("Shared", Interrupted())
    answers: dict[int, str] = {}

    async def work(places: Sequence[int], tell: Told[str], /) -> None:
        await trio.lowlevel.checkpoint()
        for place in places:
            tell(place, "made")

    entries = Entries(AudioKeys("audio"), keep, shared)
    await entries.ask(["a", "b", "c"], TEXT, work, answers.__setitem__)
    assert answers == {0: "kept", 1: "made", 2: "made"}
