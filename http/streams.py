"""Server-sent events, in OpenAI's words. No event has an ``id``: the SDK fails on them."""

from __future__ import annotations

import json
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

from asr.pipeline.formats import verbose_json

if TYPE_CHECKING:
    from asr.pipeline.types import Transcript

EVENT_STREAM = "text/event-stream; charset=utf-8"

# Proxies must neither keep nor gather events.
HEADERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


def transcript_events(transcript: Transcript) -> str:
    """A whole transcript as events: a delta for each segment, then all of it, then the end."""
    deltas = [event("transcript.text.delta", delta=text) for text in deltas_of(transcript)]
    whole = verbose_json(transcript)
    done = {name: whole[name] for name in ("text", "usage", "segments")}
    return "".join([*deltas, event("transcript.text.done", **done), "data: [DONE]\n\n"])


def deltas_of(transcript: Transcript) -> list[str]:
    """The segments' shares of the transcript's text: joined, they are exactly that."""
    texts = [segment.text for segment in transcript.segments]
    whole = "".join(texts)
    first, last = len(whole) - len(whole.lstrip()), len(whole.rstrip())
    bounds = pairwise([0, *accumulate(map(len, texts))])
    return [text for start, stop in bounds if (text := whole[max(start, first) : min(stop, last)])]


def event(kind: str, **values: Any) -> str:
    """One event: its name in a line of its own, and in the data."""
    data = json.dumps({"type": kind, **values}, ensure_ascii=False)
    return f"event: {kind}\ndata: {data}\n\n"
