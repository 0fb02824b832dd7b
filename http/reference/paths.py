"""Every path: what it does, what it takes, what it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr.http import parameters as known
from asr.http.reference import examples
from asr.http.reference.examples import example
from asr.http.reference.format_paths import formats
from asr.http.reference.inputs import body, in_query
from asr.http.reference.job_paths import job_body, jobs
from asr.http.reference.kinds import model_in_path, one_of, operation, ref
from asr.http.reference.model_paths import models
from asr.http.reference.responses import (
    HTML,
    NO_SUCH_PATH,
    TEXT,
    answer,
    by_status,
    faults,
    objects,
    small_faults,
    texts,
)
from asr.pipeline.formats import PLAIN, VTT

if TYPE_CHECKING:
    from asr.http.reference.inputs import Wish

OPENAI_WISH: Wish = {known.MODEL: "whisper-1", known.RESPONSE_FORMAT: "json"}
OPEN: dict[str, Any] = {"security": []}  # no key is asked for

IN_QUERY_TOO = "The parameters are read from the query, too, under the same names; there they win."
EVENTS = (
    "With `stream=true` the answer is a stream of server-sent events: `transcript.text.delta` "
    "while the audio is being decoded, `transcript.text.segment` for each segment if speakers are "
    "asked for, at last `transcript.text.done`, and `data: [DONE]`. An error on the way is an "
    "event `error` with the envelope of OpenAIError, and the last one. Lines that begin with a "
    "colon keep the connection open. With `progress=true` the events begin once the upload is "
    "complete, and there are `transcript.progress` and `transcript.waveform`, too."
)
AZURE_NAME = model_in_path(
    "name", "A model's name, in place of the field `model`.", example="whisper-1"
)


def paths() -> dict[str, Any]:
    """All of them."""
    return asr() | openai() | azure() | jobs() | formats() | models() | state() | numbers()


def bodies() -> dict[str, Any]:
    """The request bodies that the paths share."""
    return {
        "Asr": body("audio_file", known.ASR, {known.TASK: "transcribe"}),
        "DetectLanguage": body("audio_file", known.DETECT, {known.MODEL: "base"}),
        "Transcriptions": body("file", known.TRANSCRIPTIONS, OPENAI_WISH),
        "Azure": body("file", known.AZURE, OPENAI_WISH),
        "Job": job_body(),
    }


def asr() -> dict[str, Any]:
    """The paths of whisper-asr-webservice and the WhisperX services."""
    return {
        "/asr": {
            "post": operation(
                "ASR",
                "asr",
                "Transcribe",
                "Two kinds of clients come here, told apart by the names that they use. *Classic* "
                "ones send any of `output`, `encode`, `vad_filter` and `video_file`, and get plain "
                "bodies. All others, and whoever sends `output_format`, are *wrapped* ones, and "
                "get objects. Every parameter may be in the query or in the form; the query wins.",
                parameters=in_query(known.ASR),
                requestBody={"$ref": "#/components/requestBodies/Asr"},
                responses={
                    "200": answer(
                        "The transcript in the wanted format.",
                        objects(
                            one_of("WrappedTranscript", "WrappedText", "ClassicTranscript"),
                            examples.asr_objects(),
                        )
                        | texts(PLAIN, examples.asr_texts()),
                        *("Asr-Engine", "Content-Disposition", "Asr-Warnings"),
                    ),
                    **faults("asr"),
                },
            )
        },
        "/detect-language": {
            "post": operation(
                "ASR",
                "detect_language",
                "Tell the language of the first 30 s of speech",
                "Goes ahead of transcriptions. Every parameter may be in the query or in the form. "
                "With `encode=false` in the query, only the samples that are listened to are kept.",
                parameters=in_query(known.DETECT),
                requestBody={"$ref": "#/components/requestBodies/DetectLanguage"},
                responses={
                    "200": answer(
                        "The language.",
                        objects(ref("DetectedLanguage"), {"german": example(examples.DETECTED)}),
                        "Asr-Warnings",
                    ),
                    **faults("text"),
                },
            )
        },
    }


def openai() -> dict[str, Any]:
    """OpenAI's paths."""
    return {
        "/v1/audio/transcriptions": {
            "post": audio("OpenAI", "transcriptions", "Transcribe", "Transcriptions")
        },
        "/v1/audio/translations": {
            "post": audio("OpenAI", "translations", "Translate into English", "Transcriptions")
        },
    }


def azure() -> dict[str, Any]:
    """The same where Azure's clients look for them."""
    below = "/openai/deployments/{name}/audio"
    transcribe = audio("Azure", "azure_transcriptions", "Transcribe", "Azure")
    translate = audio("Azure", "azure_translations", "Translate into English", "Azure")
    for either in (transcribe, translate):
        either["parameters"] = [AZURE_NAME]
        either["responses"] |= by_status([*NO_SUCH_PATH], "openai")  # for a name of two lines
    return {
        f"{below}/transcriptions": {"post": transcribe},
        f"{below}/translations": {"post": translate},
    }


def audio(tag: str, name: str, summary: str, body: str) -> dict[str, Any]:
    """What /v1/audio does, wherever it is."""
    return operation(
        tag,
        name,
        summary,
        f"{IN_QUERY_TOO}\n\n{EVENTS}",
        requestBody={"$ref": f"#/components/requestBodies/{body}"},
        responses={
            "200": answer(
                "The transcript in the wanted format, or its events.",
                objects(one_of("Json", "VerboseJson", "DiarizedJson"), examples.openai_objects())
                | texts(PLAIN, examples.openai_texts(PLAIN))
                | texts(VTT, examples.openai_texts(VTT))
                | {
                    "text/event-stream": {
                        "schema": ref("Event"),
                        "examples": examples.openai_events(),
                    }
                },
                *("Asr-Warnings", "Cache-Control"),
            ),
            **faults("openai"),
        },
    )


def state() -> dict[str, Any]:
    """How the server is."""
    health = objects(ref("Health"), {"healthy": example(examples.HEALTHY)})
    unwell = objects(ref("Health"), {"unhealthy": example(examples.UNHEALTHY)})
    return {
        "/": {
            "get": operation(
                "State",
                "root",
                "Say what this is",
                "Browsers, who ask for text/html before all else, get a page for people.",
                **OPEN,
                responses={
                    "200": answer(
                        "What this is, or the page.",
                        objects(ref("About"), {"about": example(examples.ABOUT)}) | texts(HTML, {}),
                        *("Vary", "ETag"),
                    ),
                    "304": answer("The page is the one that the browser has.", {}, "Vary", "ETag"),
                    **small_faults("asr", keyed=False),
                },
            )
        },
        "/health": {
            "get": operation(
                "State",
                "health",
                "Say whether the engine lives",
                **OPEN,
                responses=small_faults("asr", keyed=False, drains=False)
                | {"200": answer("It does.", health), "503": answer("It does not.", unwell)},
            )
        },
    }


def numbers() -> dict[str, Any]:
    """The server in numbers."""
    return {
        "/queue-metrics": {
            "get": operation(
                "State",
                "queue_metrics",
                "Show the queue",
                responses={
                    "200": answer(
                        "The queue.",
                        objects(ref("QueueMetrics"), {"idle": example(examples.QUEUE)}),
                    ),
                    **small_faults("asr", drains=False),
                },
            )
        },
        "/metrics": {
            "get": operation(
                "State",
                "metrics",
                "Show the numbers for Prometheus",
                responses={
                    "200": answer(
                        "The numbers, in the format that `Accept` asks for.",
                        texts(TEXT, {"text": example(examples.METRICS)})
                        | texts("application/openmetrics-text", {}),
                    ),
                    **small_faults("asr", drains=False),
                },
            )
        },
    }
