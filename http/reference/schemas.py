"""What the answers' objects hold: a JSON schema for each, by the name that the document gives it.

Objects stay open: a later version may tell more. tests/http/test_reference.py closes them, and
holds them to what the formatters write.
"""

from __future__ import annotations

from asr.http.errors import FAULTS
from asr.http.reference.events import events
from asr.http.reference.job_schemas import job_schemas
from asr.http.reference.kinds import (
    Schema,
    integer,
    listing,
    number,
    record,
    ref,
    seconds,
    string,
    times,
)
from asr.pipeline.verbose import Said


def schemas() -> dict[str, Schema]:
    """All of them."""
    asr = _asr()
    ours = asr | _said() | _errors() | _state() | job_schemas(asr["ClassicTranscript"])
    return ours | _openai_parts() | _openai() | _models() | events()


def _measures() -> dict[str, Schema]:
    return {
        "tokens": listing(integer(), "Whisper's own"),
        "temperature": number("At which it was decoded", minimum=0),
        "avg_logprob": number("How sure the model was, as a mean log-probability"),
        "compression_ratio": number("High where text repeats itself", minimum=0),
        "no_speech_prob": number("How probable it is that nobody speaks", minimum=0, maximum=1),
    }


def _asr() -> dict[str, Schema]:
    score = number("How sure its place is", minimum=0, maximum=1)
    shared = {
        "language": string("The code of what was spoken", examples=["en"]),
        "segments": listing(ref("AsrSegment")),
        "word_segments": listing(ref("AsrWord"), "The words of all segments"),
        "speaker_embeddings": {
            "type": "object",
            "description": "A vector for the voice behind each label, if they were asked for",
            "additionalProperties": listing(number("Together they are of length 1")),
        },
        "embedding_model": string("What made the vectors: compare only those of one model"),
        "warnings": listing(string(), "What was asked for and not done, and why"),
    }
    hidden = ["speaker_embeddings", "embedding_model"]
    return {
        "AsrWord": record(
            "A word. One that could not be placed has no times and no score.",
            ["start", "end", "score", "probability", "speaker"],
            word=string("With its leading space"),
            **times(),
            score=score,
            probability=score,
            speaker=string(examples=["SPEAKER_00"]),
        ),
        "AsrSegment": record(
            "A line of the transcript; `words` if they were asked for, `speaker` if it is known.",
            ["words", "speaker"],
            id=integer(),
            **times(),
            text=string("With its leading space"),
            speaker=string(examples=["SPEAKER_00"]),
            words=listing(ref("AsrWord")),
            **_measures(),
        ),
        "ClassicTranscript": record(
            "json for `output`: the text is a string.", hidden, text=string(), **shared
        ),
        "WrappedTranscript": record(
            "json for `output_format`: the text is the list of segments.",
            hidden,
            text=listing(ref("AsrSegment")),
            **shared,
        ),
        "WrappedText": {
            "type": "object",
            "description": "Any other `output_format`: the file's text under the format's name.",
            "additionalProperties": string(),
            "minProperties": 1,
            "maxProperties": 1,
        },
        "DetectedLanguage": record(
            "The language of the first 30 s of speech.",
            detected_language=string("Its English name, in lower case"),
            language_code=string(),
            confidence=number("Its probability", minimum=0, maximum=1),
        ),
    }


def _openai_parts() -> dict[str, Schema]:
    return {
        "Usage": record(
            "What OpenAI would bill: whole seconds, begun ones too.",
            type={"const": "duration"},
            seconds=integer(),
        ),
        "Warnings": listing(
            string(), "What was asked for and not done, and why; left out if there is nothing."
        ),
        "Logprob": record(
            "A token of the text. Bytes that are no text by themselves show as U+FFFD.",
            token=string(),
            logprob=number("Its log-probability", maximum=0),
            bytes=listing({"type": "integer", "minimum": 0, "maximum": 255}),
        ),
        "VerboseWord": record(
            "A word and when it was said; by whom, if `diarize` asks for it and it is known.",
            ["speaker"],
            word=string(),
            **times(),
            speaker=string(examples=["SPEAKER_00"]),
        ),
        "VerboseSegment": record(
            "A line of the transcript; by whom, if `diarize` asks for it and it is known.",
            ["speaker"],
            id=integer(),
            seek=integer("Where its window begins, in hundredths of a second"),
            **times(),
            text=string("With its leading space"),
            speaker=string("In events A, B and so on", examples=["SPEAKER_00"]),
            **_measures(),
        ),
    }


def _openai() -> dict[str, Schema]:
    ending = {"usage": ref("Usage"), "warnings": ref("Warnings")}
    logprobs = listing(ref("Logprob"), "If `include` asks for them")
    return {
        "Json": record(
            "response_format=json",
            ["logprobs", "warnings"],
            text=string(),
            logprobs=logprobs,
            **ending,
        ),
        "VerboseJson": record(
            "response_format=verbose_json. `words` and `segments` by timestamp_granularities: "
            "words alone leave the segments out.",
            ["words", "segments", "warnings"],
            task=string(enum=["transcribe", "translate"]),
            language=string("Its English name, in lower case"),
            language_code=string(),
            duration=seconds("How long the audio is"),
            text=string(),
            words=listing(ref("VerboseWord")),
            segments=listing(ref("VerboseSegment")),
            **ending,
        ),
        "DiarizedJson": record(
            "response_format=diarized_json",
            ["warnings"],
            task=string(enum=["transcribe", "translate"]),
            duration=seconds("How long the audio is"),
            text=string(),
            segments=listing(ref("TranscriptTextSegment")),
            **ending,
        ),
    }


def _said() -> dict[str, Schema]:
    """What /v1/format reads, as the reader itself has it."""
    schema = Said.model_json_schema(ref_template="#/components/schemas/{model}")
    return {**schema.pop("$defs"), "Said": schema}


def _models() -> dict[str, Schema]:
    return {
        "Model": record(
            "A model as OpenAI lists it, and what is known of it here.",
            id=string(),
            object={"const": "model"},
            created=integer("In seconds since 1970"),
            owned_by=string(),
            source=string("Where it comes from", enum=["embedded", "cache", "hub", "folder"]),
            size_bytes={"type": ["integer", "null"], "description": "On disk, if it is there"},
            loaded={"type": "boolean", "description": "Whether it is in memory"},
            loaded_bytes={"type": ["integer", "null"], "description": "Of its weights, if it is"},
            default={"type": "boolean", "description": "Whether it is who asks for none gets"},
        ),
        "Resident": record("The models in memory.", models=listing(string())),
        "LoadedOrNot": record(
            "A model, and whether it is in memory now.", model=string(), loaded={"type": "boolean"}
        ),
        "Models": record(
            "All that may be asked for.", object={"const": "list"}, data=listing(ref("Model"))
        ),
    }


def _errors() -> dict[str, Schema]:
    nothing_or_text = {"type": ["string", "null"]}
    codes = sorted({fault.code for fault in FAULTS.values() if fault.code})
    error = record(
        "What went wrong, for people and for programs.",
        message=string("For people"),
        type=string(enum=sorted({fault.type for fault in FAULTS.values()})),
        param=nothing_or_text | {"description": "The field that must change"},
        code=nothing_or_text | {"description": "For programs", "examples": codes},
    )
    return {
        "OpenAIError": record("An error on /v1 and /openai, in OpenAI's words.", error=error),
        "Error": record("An error on every other path.", detail=string("For people")),
    }


def _state() -> dict[str, Schema]:
    where = {"device": string("Where the models run", examples=["gpu"])}
    simple = {"serve_mode": {"const": "simple", "description": "One process"}}
    loaded = {"loaded_models": listing(string(), "Those in memory")}
    return {
        "About": record(
            "What this is.",
            status={"const": "running"},
            service={"const": "asr-service"},
            version=string(),
            **where,
            **simple,
            compute_type=string(examples=["float16"]),
        ),
        "Health": record(
            "Whether the engine lives.",
            status=string(enum=["healthy", "unhealthy"]),
            reason={"type": ["string", "null"], "description": "Why it does not"},
            **where,
            **simple,
            **loaded,
            degraded=listing(
                string(), "What it goes on without: diarizer, aligner, jobs, workers, queue"
            ),
        ),
        "QueueMetrics": record(
            "The queue, in the words of the WhisperX services.",
            **where,
            **simple,
            **loaded,
            queue=record(
                "Requests that wait and that run, and how many may.",
                requests_queued=integer(),
                requests_in_flight=integer(),
                gpu_concurrency=integer(),
                max_queue_size=integer(),
            ),
        ),
    }
