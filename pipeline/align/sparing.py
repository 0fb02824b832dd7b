"""What could not be had is not tried again at once, neither on this disk nor in the network."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, TypeVar

from asr.pipeline.align.sources import fetch, find
from asr.pipeline.errors import AlignmentUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr.pipeline.models import ModelSettings

T = TypeVar("T")

RETRY_AFTER_S = 600.0  # a machine without a network does not try for each request


@dataclass(frozen=True, slots=True)
class Missed:
    """A network that could not be had: why, and until when that is not tried again."""

    reason: str
    until: float


class Sparing(Generic[T]):
    """Does something with a name, but not at once again if AlignmentUnavailable came of it.

    ``clock`` counts seconds.
    """

    def __init__(
        self, work: Callable[[str], T], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._work = work
        self._clock = clock
        self._missed: dict[str, Missed] = {}

    def __call__(self, name: str) -> T:
        """What comes of the work, or what came of it last. Raises AlignmentUnavailable."""
        self.check(name)
        try:
            done = self._work(name)
        except AlignmentUnavailable as error:
            self._missed[name] = Missed(error.message, self._clock() + RETRY_AFTER_S)
            raise
        self._missed.pop(name, None)
        return done

    def check(self, name: str) -> None:
        """Raises AlignmentUnavailable if that came of the work lately."""
        missed = self._missed.get(name)
        if missed and self._clock() < missed.until:
            raise AlignmentUnavailable(missed.reason)


class Letters:
    """The networks by language, for a librarian.

    What could not be fetched is not looked for either, for as long: one that is damaged would be
    read, all of it, for each request.
    """

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._fetch = Sparing(partial(fetch, settings=settings))

    def find(self, language: str) -> Path | None:
        """As ``find``. Raises AlignmentUnavailable."""
        self._fetch.check(language)
        return find(language, self._settings)

    def fetch(self, language: str) -> Path:
        """As ``fetch``. Raises AlignmentUnavailable."""
        return self._fetch(language)
