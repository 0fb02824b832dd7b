"""Whose voices are known by name: each to the one who sounds most alike, if alike enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from asr.pipeline.diarize.people import People

# The least cosine of two voices that are called by one name. Clips of 2 to 10 s against the same
# people elsewhere, and against others (15 people): 0.3 % of the same are below, 5 % of the others
# above, of whom the one most alike is taken.
ALIKE_MIN = 0.6


def loudest(people: People) -> NDArray[np.float64] | None:
    """The voice of who is heard most, if anybody is."""
    if not len(people.voices):
        return None
    voice: NDArray[np.float64] = people.voices[people.often.argmax()]
    return voice


def match(voices: NDArray[np.float64], known: Mapping[str, NDArray[np.float64]]) -> dict[int, str]:
    """The rows of ``voices`` that are known, with their names; each name is given once.

    Who sounds most alike goes first. The best sum over all would let pairs decide that are not
    alike at all.
    """
    if not known or not len(voices):
        return {}
    names = tuple(known)
    alike = voices @ np.stack([known[name] for name in names]).T  # (people, names)
    found: dict[int, str] = {}
    for place in np.argsort(-alike, axis=None, kind="stable").tolist():
        who, name = divmod(place, len(names))
        if alike[who, name] < ALIKE_MIN:
            break
        if who not in found and names[name] not in found.values():
            found[who] = names[name]
    return found
