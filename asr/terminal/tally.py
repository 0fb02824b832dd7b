"""How far a job is: numbers only, for whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr.pipeline.types import Progress

# Of a speed measured over less, people see leaps.
SPEED_AFTER_S = 1.0

TAIL_SEGMENTS = 12  # more of the newest text than a terminal has lines to spare for it


@dataclass(slots=True, eq=False)
class Going:
    """A file that is being worked on: seconds of audio done, of how many; 0 while it is read."""

    name: str
    began_s: float
    done_s: float = 0.0
    total_s: float = 0.0

    @property
    def state(self) -> str:
        if not self.total_s:
            return "reading"
        return "transcribing" if self.done_s < self.total_s else "finishing"

    def speed(self, now_s: float) -> float | None:
        """Seconds of audio a second, if that is known yet."""
        took_s = now_s - self.began_s
        return self.done_s / took_s if self.done_s and took_s >= SPEED_AFTER_S else None

    def left_s(self, now_s: float) -> float | None:
        """How long the rest may take."""
        speed = self.speed(now_s)
        return (self.total_s - self.done_s) / speed if speed else None


@dataclass(slots=True)
class Tally:
    """All files of a job: how many there are and are over, and which are being worked on."""

    files: int
    began_s: float
    over: int = 0
    failed: int = 0
    heard_s: float = 0.0  # of files that are over
    loading: bool = True  # the model, before any file
    going: list[Going] = field(default_factory=list)
    previews: bool = False  # the newest text of the only file, which is nowhere else yet
    tail: tuple[str, ...] = ()

    def begin(self, name: str, now_s: float) -> Going:
        """A file's turn has come."""
        self.loading = False
        self.going.append(going := Going(name, now_s))
        return going

    def move(self, going: Going, progress: Progress) -> None:
        """There is news of a file."""
        going.done_s, going.total_s = progress.done_s, progress.total_s
        news = tuple(segment.text.strip() for segment in progress.segments)
        if news and self.previews:
            self.tail = (*self.tail, *news)[-TAIL_SEGMENTS:]

    def end(self, going: Going, *, failed: bool) -> None:
        """A file is over."""
        self.going.remove(going)
        self.over += 1
        self.failed += failed
        self.heard_s += going.done_s

    def speed(self, now_s: float) -> float | None:
        """Seconds of audio a second, all files together."""
        took_s = now_s - self.began_s
        done_s = self.heard_s + sum(going.done_s for going in self.going)
        return done_s / took_s if done_s and took_s >= SPEED_AFTER_S else None

    def sentence(self, now_s: float) -> str:
        """All of it in a line."""
        if self.loading:
            return "loading the model"
        parts = [f"{self.over} of {self.files} files done"] if self.files > 1 else []
        if self.failed:
            parts.append(f"{self.failed} failed")
        if speed := self.speed(now_s):
            parts.append(f"{speed:.1f} x realtime")
        if self.going:
            first = self.going[0]
            at = f"{first.done_s / first.total_s:.0%}" if first.total_s else "its beginning"
            parts.append(f"{first.name} is at {at}")
            if (left_s := first.left_s(now_s)) is not None:
                parts.append(f"{clock(left_s)} left")
        return ", ".join(parts)


def clock(seconds: float) -> str:
    """Seconds as people read them: 0:07, 12:30, 1:02:03."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
