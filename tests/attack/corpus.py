"""Bad input by number: the same seed and number make the same case, on its own, too."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeVar

from tests.attack import forms, forms_junk, media

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.attack.forms import Request
    from tests.attack.media_lures import Canaries

T = TypeVar("T")

Kind = Literal["media", "parameters", "form", "split"]


@dataclass(frozen=True, slots=True)
class Case:
    """A request, what is odd about it, and what may be answered; ``names`` are what it sends."""

    kind: Kind
    name: str
    request: Request
    answers: frozenset[int]
    names: tuple[str, ...] = ()


MEDIA_ANSWERS = frozenset({200, 400, 413})


@dataclass(frozen=True)
class Corpus:
    """Cases of one seed. Odd files that are always the same, forms and cuts come each in turn.

    ``folder`` is for making the containers.
    """

    seed: int
    folder: Path
    canaries: Canaries

    @cached_property
    def containers(self) -> dict[str, bytes]:
        return media.make_all(self.folder)

    @cached_property
    def files(self) -> tuple[tuple[str, bytes], ...]:
        """Odd files that are always the same, in an order of the seed's."""
        flac = self.containers["flac"]
        forged = (
            (f"a forged track of {digits} digits", media.with_a_forged_track(flac, digits))
            for digits in (1, 6, 7, 4000, 4400, 5000)
        )
        return self._shuffled(chain(media.ODD_WAVS.items(), self.canaries.lures(), forged))

    @cached_property
    def odd_forms(self) -> tuple[tuple[str, Request, frozenset[int]], ...]:
        return self._shuffled(
            chain(forms.odd_forms(), forms_junk.odd_urls(self.canaries.file, self.canaries.host))
        )

    @cached_property
    def cuts(self) -> tuple[int, ...]:
        return self._shuffled(range(1, len(forms.small().body)))

    def _shuffled(self, things: Iterable[T]) -> tuple[T, ...]:
        listed = list(things)
        random.Random(self.seed).shuffle(listed)
        return tuple(listed)

    def case(self, number: int) -> Case:
        """The case of a number, from 0."""
        turn, place = divmod(number, 10)
        chance = random.Random(f"{self.seed}-{number}")
        if place < 4:
            names = sorted(self.containers)
            name, data = media.damaged(
                names[(4 * turn + place) % len(names)], self.containers, chance
            )
            return self._media(name, data, chance)
        if place < 6:
            name, data = self.files[(2 * turn + place) % len(self.files)]
            if chance.random() < 0.1:
                return Case("media", f"clip of {name}", forms_junk.voice(data), MEDIA_ANSWERS)
            return self._media(name, data, chance)
        if place < 7:
            name, request, answers = self.odd_forms[turn % len(self.odd_forms)]
            return Case("form", name, request, answers)
        if place < 8:
            whole = forms.small()
            cut = self.cuts[turn % len(self.cuts)]
            request = forms.Request(whole.path, whole.body, cut=cut)
            return Case("split", f"cut at {cut}", request, frozenset({200}))
        name, request, sent = forms_junk.junk_parameters(chance)
        return Case("parameters", name, request, forms.ANY_ANSWER, sent)

    @staticmethod
    def _media(name: str, data: bytes, chance: random.Random) -> Case:
        path = chance.choice((forms.ASR, forms.ASR, forms.V1, forms.DETECT, forms.AZURE))
        body = forms.file(path, data, chance.choice((b"a", b"a.mp3", b"a.wav", b"a.m3u8")))
        return Case("media", name, forms.Request(path, body + forms.END), MEDIA_ANSWERS)
