"""The networks that hear letters, a few in memory, and who has which.

A network takes up to 1.3 GB: those who work borrow them, so that no more are in memory than may be,
whatever is spoken at a time.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple
from weakref import ReferenceType, WeakSet, ref

from asr.pipeline.errors import AlignmentUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr.pipeline.align.emissions import Network
    from asr.pipeline.align.wording import Alphabet

KEPT = 2  # networks in memory: up to 1.3 GB each, all but one


class Loaded(NamedTuple):
    """A network that is in memory, and the letters that it knows."""

    network: Network
    alphabet: Alphabet


class LanguageNetworks:
    """The networks by language: a few in memory, those used last. For one thread.

    ``names`` has those of the networks by Whisper's language codes; ``read`` raises
    AlignmentUnavailable.
    """

    def __init__(self, names: Mapping[str, str], read: Callable[[str], Loaded]) -> None:
        self._names = names
        self._read = read
        self._kept: dict[str, Loaded] = {}
        self._borrowers: defaultdict[str, WeakSet[object]] = defaultdict(WeakSet)
        # Which question was refused first, and what it needs: no other is lent a network until it
        # is, or until it is asked no more.
        self._first: ReferenceType[object] | None = None
        self._next = ""

    def lend(self, language: str, borrower: object, *, question: object) -> bool:
        """Whether ``borrower`` may ``get`` a network, which is kept until it is given back.

        It is for a ``question``. Who is gone has given back, too, and waits no more. Not while KEPT
        others are lent. Raises AlignmentUnavailable.
        """
        name = known(language, self._names)
        lent = self._lent()
        # Where nothing is lent any more, whoever was first would have asked again by now.
        first = self._first() if self._first and lent else None
        if first is not None and self._next != name:
            return False
        if name not in lent and len(lent) >= KEPT:
            if first is None:
                self._first, self._next = ref(question), name
            return False
        self._first = None
        self._borrowers[name].add(borrower)
        return True

    def give_back(self, borrower: object) -> None:
        """It needs no network any more: what it has failed with may keep it for long."""
        for borrowers in self._borrowers.values():
            borrowers.discard(borrower)

    def _lent(self) -> set[str]:
        return {name for name, borrowers in self._borrowers.items() if len(borrowers)}

    def get(self, language: str) -> Loaded:
        """The network for a language. Raises AlignmentUnavailable."""
        name = known(language, self._names)
        loaded = self._kept.pop(name, None) or self._have(name)
        self._kept[name] = loaded  # used last, and so at the end
        return loaded

    def _have(self, name: str) -> Loaded:
        free = [kept for kept in self._kept if kept not in self._lent()]
        while free and len(self._kept) >= KEPT:
            del self._kept[free.pop(0)]
        return self._read(name)


def known(language: str, names: Mapping[str, str]) -> str:
    """The name of the network for a language. Raises AlignmentUnavailable."""
    if language not in names:
        raise AlignmentUnavailable(f"No alignment model for the language {language!r} is known")
    return names[language]
