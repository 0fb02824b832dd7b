"""How a request gets on, as events of its stream: told to who asks for ``progress``."""

from __future__ import annotations

from math import inf
from typing import Any

from asr.actors.watch import News, RequestStanding
from asr.pipeline.waveform import Waveform

# How often it is told that more of the audio is done; states and places are told at once.
EVERY_S = 0.5


class Steps:
    """News of a request that its client has not heard yet. Pure: no clock.

    What is outdated by the time it can be told is not told: so there are a handful at most.
    """

    def __init__(self) -> None:
        self._waiting: list[News] = []
        self._told: RequestStanding | None = None
        self._told_s = -inf

    def add(self, news: News) -> None:
        """Something has happened."""
        last = self._waiting[-1] if self._waiting else None
        if (
            isinstance(last, RequestStanding)
            and isinstance(news, RequestStanding)
            and last.state == news.state
        ):
            self._waiting.pop()
        self._waiting.append(news)

    def take(self, now_s: float, *, ended: bool = False) -> list[News]:
        """What is to be told now; once the work has ``ended``, all that there is."""
        taken: list[News] = []
        while self._waiting and (ended or self._held_s(self._waiting[0], now_s) <= 0):
            news = self._waiting.pop(0)
            if isinstance(news, RequestStanding):
                self._told, self._told_s = news, now_s
            taken.append(news)
        return taken

    def held_s(self, now_s: float) -> float:
        """How long the next news is to be held back; for ever if there is none."""
        return self._held_s(self._waiting[0], now_s) if self._waiting else inf

    def _held_s(self, news: News, now_s: float) -> float:
        told = self._told
        if isinstance(news, Waveform) or told is None:
            return 0.0
        same = (news.state, news.place) == (told.state, told.place)
        return max(0.0, self._told_s + EVERY_S - now_s) if same else 0.0


def step(news: News) -> tuple[str, dict[str, Any]]:
    """The name of the event for some news, and its data."""
    if isinstance(news, Waveform):
        name = "transcript.waveform"
        data = {"duration": round(news.duration_s, 3), "peaks": list(news.peaks)}
    else:
        name = "transcript.progress"
        data = {
            "state": news.state,
            "place": news.place,
            "done_s": round(news.done_s, 3),
            "audio_s": None if news.audio_s is None else round(news.audio_s, 3),
            "left_s": None if news.left_s is None else round(news.left_s, 1),
        }
    return name, {"type": name, **data}
