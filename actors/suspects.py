"""Who was in the engine when it crashed, and whose fault that was. Pure.

A row that crashes the engine takes every other row with it. So all that were in it are suspects;
they go through the engine one at a time, and one that crashes it all by itself is the culprit.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

# So many culprits one after the other, and not one row done in between: then it is not the audio,
# it is the engine, and its crashes count again.
CULPRITS_MAX = 8


@dataclass(frozen=True, slots=True)
class Verdict(Generic[T]):
    """The culprit of a crash, if that is known; how many crashes are explained by that."""

    culprit: T | None = None
    explained: int = 0


class Suspects(Generic[T]):
    """Those who have not been through the engine since it crashed with them in it."""

    def __init__(self) -> None:
        self._suspects: dict[T, None] = {}
        self._open = False  # whether the crash that they are suspected of is unexplained
        self._culprits = 0  # since a row was last done

    def __bool__(self) -> bool:
        return bool(self._suspects)

    def __contains__(self, one: object) -> bool:
        return one in self._suspects

    def crashed(self, at_work: Collection[T]) -> Verdict[T]:
        """The engine crashed with these in it. Suspects are only ever in it alone."""
        culprit = next((one for one in at_work if one in self._suspects), None)
        if culprit is None:
            self._suspects |= dict.fromkeys(at_work)
            self._open = True
            return Verdict()
        self.forget([culprit])
        self._culprits += 1
        if self._culprits > CULPRITS_MAX:
            return Verdict(culprit)
        explained, self._open = 1 + self._open, False
        return Verdict(culprit, explained)

    def forget(self, ones: Iterable[T]) -> None:
        """These are gone, or the engine has survived them."""
        for one in ones:
            self._suspects.pop(one, None)

    def survived(self) -> None:
        """A row is done: the engine works."""
        self._culprits = 0
