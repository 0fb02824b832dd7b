"""How long a request will take, by how long others took and by how it gets on. Pure: numbers only.

What is not known is None, and not a guess.
"""

from collections.abc import Hashable

# Of what was measured before, at each request that is done: about the last five count.
KEPT = 0.8

KINDS_MAX = 64  # of work whose speed is remembered; the one that was not met for longest goes


class Speeds:
    """Seconds of work for a second of audio, lately, for each kind of work."""

    def __init__(self) -> None:
        self._seen: dict[Hashable, tuple[float, float]] = {}  # seconds of work, and of audio

    def record(self, kind: Hashable, audio_s: float, work_s: float) -> None:
        """A request is done. Long audio counts for more than short."""
        took_s, heard_s = self._seen.pop(kind, (0.0, 0.0))
        self._seen[kind] = (KEPT * took_s + work_s, KEPT * heard_s + audio_s)
        if len(self._seen) > KINDS_MAX:
            del self._seen[next(iter(self._seen))]

    def of(self, kind: Hashable) -> float | None:
        """What a second of audio takes; None until a request of this kind is done."""
        took_s, heard_s = self._seen.get(kind, (0.0, 0.0))
        return took_s / heard_s if heard_s else None


# What a request's own speed is told by: the less of it is done, the more of that was its beginning,
# and its windows are decoded side by side.
SHARE_TOLD = 0.25
TOLD_S = 120.0


class Forecast:
    """When a request that is at work will be done."""

    def __init__(self, audio_s: float, usual: float | None, *, now_s: float) -> None:
        """``usual``: what a second of such audio lately took."""
        self._audio_s = audio_s
        self._usual = usual
        self._began_s = self._at_s = now_s
        self._done_s = 0.0

    def advance(self, done_s: float, *, now_s: float) -> None:
        """So much of the audio is done."""
        if done_s > self._done_s:
            self._done_s, self._at_s = done_s, now_s

    def left_s(self, *, now_s: float) -> float | None:
        """Seconds until all of it is, or None while nothing is known."""
        todo_s = self._audio_s - self._done_s
        if todo_s <= 0:
            return 0.0
        rate = self._rate()
        if rate is not None and (left_s := rate * todo_s - (now_s - self._at_s)) > 0:
            return left_s
        own = self._own(now_s)  # it takes longer than was thought
        return None if own is None else own * todo_s

    def _rate(self) -> float | None:
        """What a second takes: the more of the audio is done, the more its own speed counts."""
        own = self._own(self._at_s)
        if own is None or self._usual is None:
            return own or self._usual
        weight = (self._done_s / self._audio_s) ** 2
        return weight * own + (1.0 - weight) * self._usual

    def _own(self, now_s: float) -> float | None:
        """Its own speed, once that says something."""
        if self._done_s < min(SHARE_TOLD * self._audio_s, TOLD_S):
            return None
        return (now_s - self._began_s) / self._done_s
