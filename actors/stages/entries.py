"""Questions about one audio: answered from what is kept, or worked on once, and then kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

import trio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from asr.actors.stages.keep import Keep
    from asr.actors.stages.shared import Shared, Told, Work
    from asr.pipeline.identity import AudioKeys

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Packing(Generic[T]):
    """How answers of one kind are kept; one that is packed as None is not.

    ``load`` raises ValueError for what cannot be read.
    """

    dump: Callable[[T], bytes | None]
    load: Callable[[bytes], T]


@dataclass(frozen=True, slots=True)
class Entries:
    """What is kept of an audio; on behalf of a job, if ``job`` is not empty."""

    keys: AudioKeys
    keep: Keep
    shared: Shared
    job: str = ""

    async def ask(
        self,
        keys: Sequence[str],
        packing: Packing[T],
        work: Work[T],
        told: Told[T],
        *,
        rank: int = 0,
        progress: Callable[[float], None] | None = None,
    ) -> None:
        """Have each question answered, in any order; ``work`` is given what nobody knows yet.

        Raises what ``work`` raises. See ``Shared.ask``.
        """
        found: set[int] = set()
        worked_on: set[int] = set()

        async def answer(places: Sequence[int], tell: Told[T], /) -> None:
            known = await self.find([keys[place] for place in places], packing)
            found.update(place for place in places if keys[place] in known)
            for place in places:
                if keys[place] in known:
                    tell(place, known[keys[place]])
                    await trio.lowlevel.checkpoint()  # an hour has many, and each is heard
            # One that was found by a look before, and could not be told then, may be gone by now.
            if left := [place for place in places if keys[place] not in known]:
                worked_on.update(left)
                await work(left, tell)

        def hear(place: int, value: T, /) -> None:
            # What another has kept is not yet this job's.
            if place in worked_on or (self.job and place not in found):
                self.put(keys[place], value, packing)
            told(place, value)

        await self.shared.ask(keys, answer, hear, rank=rank, progress=progress)

    async def ask_one(
        self,
        key: str,
        packing: Packing[T],
        work: Callable[[], Awaitable[T]],
        *,
        progress: Callable[[float], None] | None = None,
    ) -> T:
        """The answer to one question. Raises what ``work`` raises."""
        answers: dict[int, T] = {}

        async def answer(_places: Sequence[int], told: Told[T], /) -> None:
            told(0, await work())

        await self.ask((key,), packing, answer, answers.__setitem__, progress=progress)
        return answers[0]

    async def find(self, keys: Sequence[str], packing: Packing[T]) -> Mapping[str, T]:
        """The answers that are kept, by key."""
        records = await self.keep.get(keys, job=self.job)
        return await trio.to_thread.run_sync(_loaded, records, packing) if records else {}

    def put(self, key: str, value: T, packing: Packing[T]) -> None:
        """Keep an answer."""
        record = packing.dump(value)
        if record is not None:
            self.keep.put(key, record, job=self.job)


def _loaded(records: Mapping[str, bytes], packing: Packing[T]) -> dict[str, T]:
    """What can be read: an entry that cannot be is as good as none."""
    answers: dict[str, T] = {}
    for key, record in records.items():
        try:
            answers[key] = packing.load(record)
        except ValueError:
            continue
    return answers
