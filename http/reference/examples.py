"""Examples of answers: made by what makes the answers, from one short transcript.

So an example cannot show what the server does not write.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from asr.actors.jobs.local.journal import JournalFailed, JournalInUse
from asr.actors.jobs.queue import ClientBusy, Poison, QueueUnavailable, UnknownJob
from asr.actors.jobs.register import KeyReused, NotDone
from asr.actors.watch import RequestStanding
from asr.http.errors import MissingFile, NoJobs
from asr.http.models import model_card
from asr.http.progress import step
from asr.http.streams import Deltas, Shown, ending, named
from asr.pipeline.errors import (
    AsrError,
    Busy,
    DeadlineExceeded,
    EngineRestarted,
    InvalidRequest,
    ModelUnavailable,
    NotEnoughMemory,
    Poisoned,
    ShuttingDown,
    StorageFull,
    TooLarge,
    UnknownModel,
    UnreadableAudio,
)
from asr.pipeline.formats import (
    CLASSIC,
    OPENAI,
    WRAPPED,
    asr_json,
    diarized_json,
    openai_json,
    verbose_json,
)
from asr.pipeline.models import ModelInfo
from asr.pipeline.speakers import Diarization, Turn
from asr.pipeline.types import Segment, Transcript, Word
from asr.pipeline.waveform import Waveform

if TYPE_CHECKING:
    from collections.abc import Mapping

Examples = dict[str, dict[str, Any]]


def example(value: Any, summary: str = "") -> dict[str, Any]:
    """An Example Object."""
    return {"value": value} | ({"summary": summary} if summary else {})


def transcript() -> Transcript:
    """Two people greet each other."""
    turns = (Turn(0.0, 1.5, "SPEAKER_00"), Turn(1.5, 3.5, "SPEAKER_01"))
    voices = {"SPEAKER_00": (0.6, 0.8), "SPEAKER_01": (-0.28, 0.96)}  # real ones are longer
    return Transcript(
        language="en",
        task="transcribe",
        duration_s=3.5,
        segments=(
            _segment(0.0, 1.5, " Hello there.", "SPEAKER_00", (0.0, 0.6, 1.5)),
            _segment(1.5, 3.5, " General Kenobi.", "SPEAKER_01", (1.5, 2.3, 3.5)),
        ),
        diarization=Diarization(turns, turns, voices, "resemblyzer"),
    )


def unnamed() -> Transcript:
    """The same, if nobody asked who they are."""
    segments = (
        replace(s, speaker=None, words=tuple(replace(word, speaker=None) for word in s.words))
        for s in transcript().segments
    )
    return replace(transcript(), segments=tuple(segments), diarization=None)


def _segment(
    start_s: float, end_s: float, text: str, speaker: str, times: tuple[float, ...]
) -> Segment:
    words = text.split()
    return Segment(
        start_s=start_s,
        end_s=end_s,
        text=text,
        tokens=(50364, 2425, 456, 13),
        window_start_s=0.0,
        temperature=0.0,
        avg_logprob=-0.25,
        no_speech_prob=0.01,
        compression_ratio=1.1,
        words=tuple(
            Word(f" {word}", begin, end, 0.98, speaker)
            for word, (begin, end) in zip(words, pairwise(times), strict=True)
        ),
        speaker=speaker,
    )


def asr_texts() -> Examples:
    """Plain bodies of /asr."""
    return {
        name: example(style.write(unnamed()), f"output={name}")
        for name, style in CLASSIC.items()
        if name != "text"
    }


def asr_objects() -> Examples:
    """Objects of /asr."""
    srt = {"srt": WRAPPED["srt"].write(transcript(), speakers=True)}
    voices = asr_json(transcript(), listed=True, embeddings=True)
    return {
        "wrapped": example(asr_json(transcript(), listed=True), "the default"),
        "wrapped_voices": example(voices, "return_speaker_embeddings=true"),
        "wrapped_srt": example(srt, "output_format=srt"),
        "classic": example(asr_json(unnamed(), listed=False), "output=json"),
    }


def openai_texts(content_type: str) -> Examples:
    """Bodies of /v1/audio that are text of a type."""
    return {
        name: example(style.write(unnamed()), f"response_format={name}")
        for name, style in OPENAI.items()
        if style.content_type == content_type
    }


def openai_objects() -> Examples:
    """Objects of /v1/audio."""
    spoken = verbose_json(transcript(), ["segment"])
    values = {
        "json": openai_json(unnamed()),
        "verbose_json": verbose_json(unnamed(), ["word", "segment"]),
        "diarized_json": diarized_json(transcript()),
    }
    examples = {name: example(value, f"response_format={name}") for name, value in values.items()}
    return examples | {"spoken": example(spoken, "response_format=verbose_json, diarize=true")}


def formatted() -> Examples:
    """Objects of /v1/format."""
    whole = verbose_json(transcript(), ["word", "segment"])
    return {
        "json": example(asr_json(transcript(), listed=False), "format=json"),
        "verbose_json": example(whole, "format=verbose_json"),
    }


def to_format() -> dict[str, Any]:
    """What /v1/format may be asked."""
    return {"transcript": verbose_json(transcript(), ["word", "segment"]), "format": "srt"}


def openai_events() -> Examples:
    """What stream=true brings, from its first byte to its last."""
    return {
        "stream": example(event_stream(unnamed(), Shown()), "stream=true"),
        "diarized": example(
            event_stream(transcript(), Shown(speakers=True)),
            "stream=true, response_format=diarized_json",
        ),
        "watched": example(
            event_stream(unnamed(), Shown(words=True, progress=True)),
            "stream=true, progress=true, timestamp_granularities[]=word",
        ),
        "error": example(event_stream(EngineRestarted(), Shown()), "what went wrong later"),
    }


def event_stream(end: Transcript | Exception, shown: Shown) -> str:
    """The events of a request that ends so, without its comments."""
    deltas = Deltas(logprobs=shown.logprobs)
    segments = end.segments if isinstance(end, Transcript) else ()
    steps = "".join(named(*step(news)) for news in NEWS) if shown.progress else ""
    return steps + "".join((*map(deltas.of, segments), *ending(end, "", shown)))


def card(name: str) -> dict[str, Any]:
    """A model of /v1/models."""
    info = ModelInfo("base", "embedded", "", 145_262_807, on_disk=True)
    return model_card(name, info, {"base": 145_186_816}, default="base")


def model_list() -> dict[str, Any]:
    """What /v1/models may answer."""
    return {"object": "list", "data": [card("whisper-1"), card("base")]}


def errors() -> Mapping[type[AsrError], AsrError]:
    """One of each row of the table of faults."""
    return {
        type(error): error
        for error in (
            InvalidRequest("task must be one of transcribe, translate, not 'sing'", param="task"),
            MissingFile("Send the audio as a file of a multipart/form-data body", param="file"),
            UnreadableAudio("there is no audio in it"),
            UnknownModel("none-such"),
            TooLarge(
                "File too large. Maximum content size limit is 1,000,000,000 bytes",
                param="file",
                code="file_too_large",
            ),
            Busy("The queue is full; try again later", retry_after_s=7),
            ShuttingDown(),
            EngineRestarted(),
            Poisoned(),
            NotEnoughMemory(),
            ModelUnavailable("The model 'large-v3' cannot be had: the model hub does not answer"),
            StorageFull(),
            DeadlineExceeded(3600),
            KeyReused(),
            UnknownJob(),
            NotDone("The job is running: it has no result"),
            NoJobs(),
            ClientBusy(60.0),
            QueueUnavailable(),
            JournalFailed(),
            JournalInUse(),
            Poison(),
            AsrError("Something went wrong"),
        )
    }


NEWS = (
    RequestStanding("queued", place=2, left_s=40.0),
    RequestStanding("reading"),
    RequestStanding("transcribing", audio_s=3.5, left_s=0.8),
    Waveform(3.5, (3, 90, 12, 7, 101, 64)),  # real ones have up to 2000
)

DETECTED = {"detected_language": "german", "language_code": "de", "confidence": 0.98}

_WHERE = {"device": "gpu", "serve_mode": "simple"}

ABOUT = {
    "status": "running",
    "service": "asr-service",
    "version": "1.0.0",
    **_WHERE,
    "compute_type": "float16",
}

HEALTHY = {
    "status": "healthy",
    "reason": None,
    **_WHERE,
    "loaded_models": ["large-v3"],
    "degraded": [],
}
UNHEALTHY = HEALTHY | {"status": "unhealthy", "reason": "the gpu actor hangs"}

QUEUE = {
    **_WHERE,
    "loaded_models": ["large-v3"],
    "queue": {
        "requests_queued": 0,
        "requests_in_flight": 3,
        "gpu_concurrency": 64,
        "max_queue_size": 32,
    },
}

METRICS = """\
# HELP whisperx_active_transcriptions Requests that are being transcribed
# TYPE whisperx_active_transcriptions gauge
whisperx_active_transcriptions 3.0
"""
