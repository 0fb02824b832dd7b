"""The parameters of jobs: those of both dialects of audio, and what only jobs have.

What says how an answer is to be written changes nothing when a job is made: its result can be asked
for in every format, later.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asr.actors.jobs.queue import STATES
from asr.http import parameters as known
from asr.http.fields import Parameter, choice, count, flag, text
from asr.pipeline.formats import FILES

if TYPE_CHECKING:
    from collections.abc import Mapping

PAGE_MAX = 100  # jobs in one answer
PAGE = 20  # for who says nothing of it

# To make one.

PRIORITY = choice(
    "priority",
    "interactive: somebody waits for it; it goes before those that are batch.",
    {"interactive": "interactive", "batch": "batch"},
    default="batch",
)
WEBHOOK_URL = text(
    "webhook_url",
    "Where to tell of the job's end: a POST, signed as Standard Webhooks has it. Public addresses "
    "only, unless the operator allows others.",
    example="https://example.org/transcribed",
)
WORD_TIMESTAMPS = flag(
    "word_timestamps",
    "Find the times of words. Subtitles can only be laid out well by them.",
    default=True,
)
DIARIZE = flag(
    "diarize",
    "Tell speakers apart. Not given: only if return_speaker_embeddings or diarized_json asks for "
    "it.",
    default=None,
)
INCLUDE = replace(known.INCLUDE, help="logprobs: keep the log-probability of each token, for json.")

# Read for their sense, no more.


def _for_later(parameter: Parameter[Any]) -> Parameter[Any]:
    about = "Says how an answer is written: changes nothing here. Ask for the result with it."
    return replace(parameter, help=about, default=None)


WRITING: known.Parameters = (
    *(known.OUTPUT, known.OUTPUT_FORMAT, known.STREAM, known.PROGRESS),
    *(known.TIMESTAMP_GRANULARITIES, *known.LAYOUT),
)
LATER: known.Parameters = tuple(map(_for_later, WRITING))
RESPONSE_FORMAT: Parameter[str | None] = choice(
    "response_format",
    "diarized_json: speakers are told apart. Changes nothing else here.",
    known.OPENAI_FORMATS,
    default=None,
)

# To read one.

FORMAT = choice(
    "format",
    "The wanted format. json is that of `/asr`, tsv its table.",
    {name: name for name in ("json", "verbose_json", "diarized_json", *FILES)},
    default="json",
)
GRANULARITIES = replace(
    known.TIMESTAMP_GRANULARITIES,
    help="What verbose_json has times of. word alone: no segments. Not given: all there is.",
)
EMBEDDINGS = flag(
    "return_speaker_embeddings",
    "Give a vector for each speaker's voice, in json. Not given: if the job was asked for it.",
    default=None,
)
SHOWN_IN: Mapping[Parameter[Any], tuple[str, ...]] = MappingProxyType(
    {**known.SHOWN_IN, EMBEDDINGS: ("json",), GRANULARITIES: ("verbose_json",)}
)

# To list them.

LIMIT = count("limit", f"How many there may be in the answer. Not given: {PAGE}.", most=PAGE_MAX)
AFTER = text("after", "Those older than the job of this id.", example="job_5f1d3c8e")
STATE = choice(
    "state",
    "Only those that stand so.",
    {state: state for state in STATES},
    default=None,
    repeats=True,
)

# To end one.

ONLY = choice(
    "only",
    "cancel: nothing is deleted. A job that has ended is left as it is, and answered.",
    {"cancel": "cancel"},
    default=None,
)

JOB: known.Parameters = (
    *(known.MODEL, known.LANGUAGE, known.TASK, known.PROMPT, known.INITIAL_PROMPT),
    *(known.HOTWORDS, known.TEMPERATURE, WORD_TIMESTAMPS, INCLUDE),
    *(DIARIZE, known.ENABLE_DIARIZATION, *known.COUNTS, known.RETURN_SPEAKER_EMBEDDINGS),
    *(known.KNOWN_SPEAKER_NAMES, known.KNOWN_SPEAKER_REFERENCES),
    *(known.ENCODE, known.AUDIO_TRACK, known.URL, PRIORITY, WEBHOOK_URL),
    *(known.VAD_FILTER, known.VIDEO_FILE, known.CHUNKING_STRATEGY, RESPONSE_FORMAT),
    *LATER,
)
RESULT: known.Parameters = (
    *(FORMAT, known.SHOW_SPEAKERS, EMBEDDINGS, GRANULARITIES),
    *known.LAYOUT,
)
LIST: known.Parameters = (LIMIT, AFTER, STATE)
END: known.Parameters = (ONLY,)
