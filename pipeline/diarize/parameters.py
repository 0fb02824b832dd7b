"""What the operator may say about the diarizer, in the words of pyannote's ``instantiate``."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asr.pipeline.speakers import SpeakerSettings


@dataclass(frozen=True, slots=True)
class Parameters:
    """The diarizer's parameters; None leaves the source's own value.

    ``threshold`` is a distance between voices of length 1, from 0 to 2; ``min_cluster_size`` how
    often somebody must be heard to count as one; ``Fa`` and ``Fb`` are VBx's scales of evidence
    and of caution, which only community-1 has. Pauses below ``min_duration_off`` seconds in what
    one speaker says are bridged.
    """

    threshold: float | None = None
    min_cluster_size: int | None = None
    Fa: float | None = None
    Fb: float | None = None
    min_duration_off: float | None = None


@dataclass(frozen=True, slots=True)
class _Range:
    least: float
    most: float
    whole: bool = False

    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a number"
        return f"{kind}, from {self.least:g} to {self.most:g}"

    def takes(self, value: Any) -> bool:
        allowed = int if self.whole else (int, float)
        fits = isinstance(value, allowed) and not isinstance(value, bool)
        return fits and self.least <= value <= self.most


# Threshold and sizes as pyannote bounds them; the others generously around its own bounds.
_KNOWN: Mapping[str, Mapping[str, _Range]] = {
    "segmentation": {"min_duration_off": _Range(0, 3600)},
    "clustering": {
        "threshold": _Range(0, 2),
        "min_cluster_size": _Range(1, 1000, whole=True),
        "Fa": _Range(1e-6, 1000),
        "Fb": _Range(1e-6, 1000),
    },
}

# Pipelines of pyannote 3.1 name their linkage; here it always is this one.
_METHOD = "centroid"


def parameters(settings: SpeakerSettings) -> Parameters:
    """The parameters that are set; the JSON object goes before the two settings of their own.

    Raises ValueError with a line for each problem: a key that does not exist, a value out of range.
    """
    values: dict[str, Any] = {
        "threshold": settings.clustering_threshold,
        "min_duration_off": settings.min_duration_off_s,
    }
    problems: list[str] = []
    for group, given in (settings.param_overrides or {}).items():
        if group not in _KNOWN:
            problems.append(_unknown("", group, _KNOWN))
        elif not isinstance(given, Mapping):
            problems.append(f"{group} cannot be {given!r}: expected a JSON object")
        else:
            values |= _read(group, given, problems)
    if problems:
        raise ValueError("\n".join(f"DIARIZE_PARAM_OVERRIDES: {line}" for line in problems))
    return Parameters(**values)


def _read(group: str, given: Mapping[str, Any], problems: list[str]) -> dict[str, Any]:
    """The values of a group; what cannot be used is added to ``problems``."""
    values: dict[str, Any] = {}
    for key, value in given.items():
        allowed = _KNOWN[group].get(key)
        if (group, key) == ("clustering", "method"):
            if value != _METHOD:
                problems.append(f"{group}.{key} cannot be {value!r}: expected {_METHOD!r}")
        elif allowed is None:
            problems.append(_unknown(f"{group}.", key, _KNOWN[group]))
        elif not allowed.takes(value):
            problems.append(f"{group}.{key} cannot be {value!r}: expected {allowed}")
        else:
            values[key] = value
    return values


def _unknown(where: str, key: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(key, list(known), n=1)
    hint = f"; did you mean {where}{near[0]}?" if near else ""
    return f"{where}{key} is not a parameter{hint}"
