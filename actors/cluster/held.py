"""A job that somebody waits for: what it asks, and what is told of it on the way.

Its events carry what a house would tell its caller, without a loss, so that a front can say it on:
a stream through many machines is the stream of one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from asr.actors.watch import RequestStanding
from asr.pipeline.records import dump_options, dump_progress, load_options, load_progress
from asr.pipeline.types import Options, Progress
from asr.pipeline.waveform import Waveform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr.actors.ear import Notify
    from asr.actors.jobs.queue import Event, Run
    from asr.actors.watch import News, Watch

VERSION = 1

Ask: TypeAlias = Literal["transcript", "language", "load"]

# Kinds of events. Of PROGRESS only the latest is sure to come, of the others all.
PROGRESS = "progress"
SEGMENT = "segment"
STANDING = "standing"
WAVEFORM = "waveform"
TRAIL = "trail"


@dataclass(frozen=True, slots=True)
class Held:
    """What is asked: ``model`` is a canonical name, ``audio`` says where the file is kept.

    ``live`` and ``watched`` as in ``House.transcribe``; ``request`` is the id of who asks.
    """

    ask: Ask
    model: str
    audio: str = ""
    options: Options = field(default_factory=Options)
    raw: bool = False
    live: bool = False
    watched: bool = False
    request: str = ""


def dump_held(held: Held) -> str:
    """What is asked, as a job holds it."""
    plain = {name: getattr(held, name) for name in Held.__slots__ if name != "options"}
    return json.dumps({**plain, "options": dump_options(held.options), "version": VERSION})


def load_held(work: str) -> Held:
    """What a job holds. Raises ValueError for one of another version."""
    plain = json.loads(work)
    try:
        if plain.pop("version") != VERSION:
            raise ValueError("another version")
        return Held(**{**plain, "options": load_options(plain["options"])})
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError("not the work of this version") from error


class Teller:
    """Makes events of what a house tells. What an earlier try has told is not told again."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._told = run.told.get(SEGMENT, 0)  # the same segments come again, in their order
        self._drawn = WAVEFORM in run.told

    def hear(self, progress: Progress) -> None:
        """More is done, or known."""
        for segment in progress.segments:
            if self._told:
                self._told -= 1
            else:
                self._run.tell(SEGMENT, dump_progress(replace(progress, segments=(segment,))))
        if not progress.segments:
            self._run.tell(PROGRESS, dump_progress(progress))

    def watch(self, news: News) -> None:
        """It stands elsewhere, or can be seen."""
        if isinstance(news, RequestStanding):
            self._run.tell(STANDING, asdict(news))
        elif not self._drawn:
            self._drawn = True
            self._run.tell(WAVEFORM, asdict(news))


class Listener:
    """Says on what the events of a job tell, as the house itself would have said it.

    What another worker begins again is not less done for that.
    """

    def __init__(
        self, notify: Notify, watch: Watch | None, walked: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._notify = notify
        self._watch = watch
        self._walked = walked
        self._done_s = -1.0

    def hear(self, event: Event) -> None:
        """Take in an event that is not the last one; those of other kinds mean nothing here."""
        match event.kind:
            case "progress" | "segment":
                self._progress(load_progress(event.data))
            case "standing" if self._watch:
                self._watch(RequestStanding(**event.data))
            case "waveform" if self._watch:
                drawn = event.data
                self._watch(Waveform(drawn["duration_s"], tuple(drawn["peaks"])))
            case "trail":
                self._walked(event.data)

    def _progress(self, progress: Progress) -> None:
        if progress.done_s > self._done_s or progress.segments:
            self._done_s = max(progress.done_s, self._done_s)
            self._notify(replace(progress, done_s=self._done_s))
