"""Server-sent events, in OpenAI's words, while the audio is still being decoded.

No event has an ``id``: the SDK fails on them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import trio
from quart import Response

from asr.http.body import bounded
from asr.http.errors import openai_error, our_bug, request_id_of
from asr.http.progress import Steps, step
from asr.pipeline.errors import AsrError
from asr.pipeline.formats import diarized_json, openai_logprobs, verbose_json
from asr.pipeline.letters import lettered

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from quart.wrappers import Request

    from asr.actors.ear import Notify
    from asr.actors.watch import News, Watch
    from asr.http.door import Door
    from asr.pipeline.types import Progress, Segment, Transcript

    Work = Callable[[Notify, Watch | None], Awaitable[Transcript]]

EVENT_STREAM = "text/event-stream; charset=utf-8"

# Proxies must neither keep nor gather events.
HEADERS = {"Cache-Control": "no-store, no-transform", "X-Accel-Buffering": "no"}

# What the last event has of verbose_json.
DONE = ("text", "language", "language_code", "usage", "segments", "words", "warnings")

# A comment after so long without an event: shorter than any proxy's or client's patience.
KEEP_ALIVE_S = 5.0

# Ends of lines to Python's splitlines, by which some clients find the lines of a stream.
LINE_ENDS = str.maketrans({mark: f"\\u{ord(mark):04x}" for mark in "\x85\u2028\u2029"})


@dataclass(frozen=True, slots=True)
class Shown:
    """What a stream shows beside the text: who speaks, tokens, words, and how the work gets on."""

    speakers: bool = False
    logprobs: bool = False
    words: bool = False
    progress: bool = False


async def stream(request: Request, work: Work, shown: Shown) -> Response:
    """An answer made of events, while ``work`` goes on beside it.

    What goes wrong before the audio could be read is raised here, and answered with a status of its
    own; later it is an event. Who wants to see progress does so from here on.
    """
    untold = Untold(bounded(request).door, shown)
    bounded(request).nursery.start_soon(untold.all_of, work)
    if not shown.progress:
        await untold.begun()
    events = untold.events(request_id_of(request))
    return Response(events, content_type=EVENT_STREAM, headers=HEADERS)


class Untold:
    """What a request has told, and its client has not heard yet.

    It holds nothing that the request does not hold itself, so it needs no bound of its own.
    """

    def __init__(self, door: Door, shown: Shown) -> None:
        self._door = door
        self._shown = shown
        self._segments: list[Segment] = []
        self._steps = Steps()
        self._end: Transcript | Exception | None = None
        self._news = trio.Event()

    async def all_of(self, work: Work) -> None:
        """Take in what work tells, to its end, whichever that is."""
        try:
            with self._door.working():
                watch = self._watch if self._shown.progress else None
                self._end = await work(self._hear, watch)
        except Exception as error:  # for the client: to raise it here would only cut the stream
            self._end = error
        self._news.set()

    def _hear(self, progress: Progress) -> None:
        self._segments += progress.segments
        self._news.set()

    def _watch(self, news: News) -> None:
        self._steps.add(news)
        self._news.set()

    async def begun(self) -> None:
        """Return at the first news, or soon; raises what ended the work by then."""
        with trio.move_on_after(KEEP_ALIVE_S):
            await self._news.wait()
        if isinstance(self._end, Exception):
            raise self._end

    async def events(self, request_id: str) -> AsyncIterator[str]:
        """Deltas as they come, comments while none do, then the whole, or what went wrong."""
        yield comment("transcribing")
        deltas = Deltas(logprobs=self._shown.logprobs)
        said_s = trio.current_time()
        while self._end is None or self._segments:
            now_s = trio.current_time()
            silent_s = max(0.0, said_s + KEEP_ALIVE_S - now_s)  # not all news are for the client
            with trio.move_on_after(min(self._steps.held_s(now_s), silent_s)):
                await self._news.wait()
            for event in self._due(deltas) or self._alive(said_s):
                yield event
                said_s = trio.current_time()
        assert self._end is not None
        for news in self._steps.take(trio.current_time(), ended=True):
            yield named(*step(news))
        for last in ending(self._end, request_id, self._shown):
            yield last

    def _due(self, deltas: Deltas) -> list[str]:
        """What there is to be told now."""
        segments, self._segments, self._news = self._segments, [], trio.Event()
        steps = [named(*step(news)) for news in self._steps.take(trio.current_time())]
        return steps + [delta for segment in segments if (delta := deltas.of(segment))]

    def _alive(self, said_s: float) -> tuple[str, ...]:
        silent = trio.current_time() >= said_s + KEEP_ALIVE_S
        return (comment("still transcribing"),) if silent else ()


class Deltas:
    """The segments' shares of the transcript's text: joined, they are exactly that."""

    def __init__(self, *, logprobs: bool) -> None:
        self._logprobs = logprobs
        self._begun = False
        self._space = ""  # at the end of what was said: the transcript's own is not told

    def of(self, segment: Segment) -> str:
        """The event for a segment, or nothing if it adds no text."""
        text = self._space + segment.text
        if not self._begun:
            text = text.lstrip()
        delta = text.rstrip()
        self._space = text[len(delta) :]
        self._begun = self._begun or bool(delta)
        if not delta:
            return ""
        more = {"logprobs": openai_logprobs(segment.said)} if self._logprobs else {}
        return event("transcript.text.delta", delta=delta, **more)


def ending(end: Transcript | Exception, request_id: str, shown: Shown) -> Iterator[str]:
    """The last events: all of the transcript, or an error."""
    if isinstance(end, Exception):
        error = openai_error(end) if isinstance(end, AsrError) else our_bug(end, request_id)
        yield named("error", {"error": error})
        return
    if shown.speakers:
        end = lettered(end)
        for segment in diarized_json(end)["segments"]:
            yield named(segment["type"], segment)
    whole = verbose_json(end, ("word", "segment") if shown.words else ())
    done: dict[str, Any] = {name: whole[name] for name in DONE if name in whole}
    if shown.logprobs:
        done["logprobs"] = openai_logprobs(
            token for segment in end.segments for token in segment.said
        )
    yield event("transcript.text.done", **done)
    yield "data: [DONE]\n\n"


def event(kind: str, **values: Any) -> str:
    """One event: its name in a line of its own, and in the data."""
    return named(kind, {"type": kind, **values})


def named(kind: str, data: dict[str, Any]) -> str:
    """An event by its name and its data."""
    line = json.dumps(data, ensure_ascii=False).translate(LINE_ENDS)
    return f"event: {kind}\ndata: {line}\n\n"


def comment(text: str) -> str:
    """What readers pass over; it keeps connections open."""
    return f": {text}\n\n"
