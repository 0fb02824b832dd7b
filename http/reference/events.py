"""What the events of a stream hold: a JSON schema for each, and for all of them together."""

from __future__ import annotations

from asr.http.reference.kinds import (
    Schema,
    integer,
    listing,
    number,
    one_of,
    or_null,
    record,
    ref,
    seconds,
    string,
    times,
)
from asr.pipeline.waveform import PEAKS_MAX

EVENTS = (
    *("transcript.text.delta", "transcript.text.segment", "transcript.text.done", "error"),
    *("transcript.progress", "transcript.waveform"),
)


def events() -> dict[str, Schema]:
    """The data of the events, by OpenAI's names of their types."""
    logprobs = listing(ref("Logprob"), "If `include` asks for them")
    texts = ("TranscriptTextDelta", "TranscriptTextSegment", "TranscriptTextDone")
    data = one_of(*texts, "TranscriptProgress", "TranscriptWaveform", "OpenAIError")
    return _progress() | {
        "Event": one_of("NamedEvent", "LastEvent"),
        "NamedEvent": record(
            "One event of a stream.",
            event=string(enum=list(EVENTS)),
            data=string(contentMediaType="application/json", contentSchema=data),
        ),
        "LastEvent": record("The end of a whole answer.", data={"const": "[DONE]"}),
        "TranscriptTextDelta": record(
            "More of the text; all deltas joined are the text.",
            ["logprobs"],
            type={"const": "transcript.text.delta"},
            delta=string(),
            logprobs=logprobs,
        ),
        "TranscriptTextSegment": record(
            "Who said what: in diarized_json, and at the end of a stream if that is asked for.",
            type={"const": "transcript.text.segment"},
            id=string(examples=["seg_001"]),
            **times(),
            text=string(),
            speaker=string("A, B and so on, or the name of a known speaker"),
        ),
        "TranscriptTextDone": record(
            "All of it; `words` if timestamp_granularities asks for them.",
            ["words", "logprobs", "warnings"],
            type={"const": "transcript.text.done"},
            text=string(),
            language=string(examples=["english"]),
            language_code=string(examples=["en"]),
            usage=ref("Usage"),
            segments=listing(ref("VerboseSegment")),
            words=listing(ref("VerboseWord")),
            warnings=ref("Warnings"),
            logprobs=logprobs,
        ),
    }


def _progress() -> dict[str, Schema]:
    """The data of the events that `progress` adds."""

    return {
        "TranscriptProgress": record(
            "Where the request stands, at each change of that.",
            type={"const": "transcript.progress"},
            state=string(enum=["queued", "reading", "transcribing"]),
            place=or_null(integer("Its place in the queue, if it waits there", least=1)),
            done_s=seconds("How far the audio is done"),
            audio_s=or_null(seconds("How long the audio is, once it has been read")),
            left_s=or_null(
                number("Seconds that it may still take; null while nothing is known", minimum=0)
            ),
        ),
        "TranscriptWaveform": record(
            "What the audio looks like: how far its samples reach in each of equal stretches.",
            type={"const": "transcript.waveform"},
            duration=seconds("How long the audio is"),
            peaks=listing(integer("0 to 127")) | {"maxItems": PEAKS_MAX},
        ),
    }
