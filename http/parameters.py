"""Every parameter that clients may send, each once. Which endpoint knows which stands at the end.

The names and their meanings are those of whisper-asr-webservice, the WhisperX services, OpenAI's
audio API and openai-whisper's command line, whose clients come here.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asr.http.fields import Parameter, choice, count, flag, number, pick, text
from asr.pipeline.formats import CLASSIC, FILES, OPENAI, Granularity
from asr.pipeline.languages import canonical_language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.pipeline.types import Task

TASKS: Mapping[str, Task] = MappingProxyType({"transcribe": "transcribe", "translate": "translate"})
GRANULARITIES: Mapping[str, Granularity] = MappingProxyType({"word": "word", "segment": "segment"})
OPENAI_FORMATS = MappingProxyType(
    {name: name for name in ("json", *OPENAI, "verbose_json", "diarized_json")}
)
ASR_FORMATS = MappingProxyType({name: name for name in ("json", *CLASSIC)})

TRACKS_MAX = 99
SPEAKERS_MAX = 100  # each costs time and memory wherever turns are told
REFERENCES_MAX = 4  # OpenAI's own bound
REFERENCE_BYTES_MAX = 2_000_000  # 10 s of 48 kHz stereo in 16 bit, and a head before it

# For all endpoints.

MODEL = text(
    "model",
    "Which model; GET /v1/models lists them. whisper-1 and the gpt-4o names mean the operator's "
    "choice. Not given: the default model.",
    example="base",
)
LANGUAGE: Parameter[str | None] = Parameter(
    "language",
    "What is spoken: a code (de), a locale (de-DE) or an English name (german). "
    "Not given, or auto: it is detected.",
    {"type": "string", "examples": ["de", "en-US", "german"]},
    lambda name, code: None if code.lower() == "auto" else canonical_language(code, param=name),
    None,
)
HOTWORDS = text(
    "hotwords",
    "Words to listen for, separated by commas. They go in front of the prompt, as Whisper has no "
    "other way to favour words; `warnings` says so.",
    example="Metal, Trio",
)
AUDIO_TRACK = count(
    "audio_track",
    "Which audio track of a film, counted from 1. Not given: the first that is marked as default, "
    "else the first.",
    most=TRACKS_MAX,
)
URL = text(
    "url",
    "Where the audio is, instead of a file; http or https. Refused unless the operator allows it.",
    example="https://example.org/talk.mp3",
)
MAX_LINE_WIDTH = count(
    "max_line_width", "Characters in a line of srt and vtt; wide ones count twice.", most=200
)
MAX_LINE_COUNT = count(
    "max_line_count", "Lines in a cue of srt and vtt; it needs `max_line_width`.", most=10
)
MAX_WORDS_PER_LINE = count("max_words_per_line", "Words in a line of srt and vtt.", most=100)
MAX_CUE_SECONDS = number(
    "max_cue_seconds", "The longest that a cue of srt and vtt stands.", least=0.5, most=60
)
HIGHLIGHT_WORDS = flag(
    "highlight_words", "Underline each word of srt and vtt as it is spoken.", default=False
)
NUM_SPEAKERS = count(
    "num_speakers", "How many speakers there are; overrides the next two.", most=SPEAKERS_MAX
)
MIN_SPEAKERS = count("min_speakers", "How many speakers there are at least.", most=SPEAKERS_MAX)
MAX_SPEAKERS = count("max_speakers", "How many speakers there are at most.", most=SPEAKERS_MAX)

# For /asr.

ENCODE = flag(
    "encode",
    "false: the file is bare samples, 16 kHz, mono, signed 16 bit, little-endian.",
    default=True,
)
TASK: Parameter[Task] = Parameter(
    "task",
    "translate: the text is in English, whatever is spoken.",
    {"type": "string", "enum": list(TASKS)},
    lambda name, task: pick(name, task, TASKS),
    "transcribe",
)
INITIAL_PROMPT = text(
    "initial_prompt", "Text that could stand before the transcript: names, style.", example="Ada"
)
VAD_FILTER = flag(
    "vad_filter",
    "Skip what is no speech. That is always done; `warnings` says so to who sends false.",
    default=None,
)
WORD_TIMESTAMPS = flag(
    "word_timestamps",
    "Times of words in json. Default: false for `output`, true for `output_format`.",
    default=None,
)
OUTPUT = choice(
    "output",
    "The format; the answer is a plain body. Default: txt. Makes a client a *classic* one.",
    ASR_FORMATS,
    default=None,
)
OUTPUT_FORMAT = choice(
    "output_format",
    "The format; the answer is an object around it. Default: json. Makes a client a *wrapped* one.",
    ASR_FORMATS,
    default=None,
)
DIARIZE = flag(
    "diarize",
    "Tell speakers apart. Default: false for `output`, true for `output_format` where speakers can "
    "be told apart at all.",
    default=None,
)
ENABLE_DIARIZATION = flag("enable_diarization", "The same as `diarize`.", default=None)
RETURN_SPEAKER_EMBEDDINGS = flag(
    "return_speaker_embeddings",
    "Give a vector for each speaker's voice, in json; speakers are told apart for it, unless "
    "`diarize` is false. Compare only those of one `embedding_model`.",
    default=False,
)
VIDEO_FILE = text("video_file", "What the sound is from. Changes nothing.", example="film.mkv")

# For /v1/audio.

PROMPT = text("prompt", INITIAL_PROMPT.help, example="Ada")
RESPONSE_FORMAT = choice(
    "response_format", "The format of the answer.", OPENAI_FORMATS, default="json"
)
TEMPERATURE = number(
    "temperature",
    "How freely words are chosen. 0: not at all, and by itself warmer where the text looks wrong.",
    least=0,
    most=1,
)
TIMESTAMP_GRANULARITIES = choice(
    "timestamp_granularities",
    "What verbose_json has times of. word alone: no segments. Not given: segments. In a stream, "
    "word adds the words to its last event.",
    GRANULARITIES,
    default=None,
    repeats=True,
)
STREAM = flag(
    "stream", "Answer with server-sent events, while the audio is being decoded.", default=False
)
PROGRESS = flag(
    "progress",
    "Have a stream also tell where the request stands, and what the audio looks like.",
    default=False,
)
INCLUDE = choice(
    "include",
    "logprobs: the log-probability of each token, in json and in events.",
    {"logprobs": "logprobs"},
    default=None,
    repeats=True,
)
SAY_SPEAKERS = flag(
    "diarize",
    "Tell speakers apart, in every format but json. diarized_json always does.",
    default=None,
)
CHUNKING_STRATEGY = text(
    "chunking_strategy",
    "auto. Audio is always cut where nobody speaks; other values are checked, and `warnings` says "
    "that they changed nothing.",
    example="auto",
)
KNOWN_SPEAKER_NAMES = text(
    "known_speaker_names",
    "Names for the voices that are sent beside them.",
    example="Ada",
    repeats=True,
)
KNOWN_SPEAKER_REFERENCES = text(
    "known_speaker_references",
    f"2 to 10 s of each known voice, as data URLs; {REFERENCES_MAX} at most.",
    example="data:audio/wav;base64,UklGRg==",
    repeats=True,
)

# For /v1/format.

FORMAT = choice(
    "format",
    "The wanted format. json is that of `/asr`, tsv its table.",
    {name: name for name in (*FILES, "json", "verbose_json")},
    default="txt",
)
SHOW_SPEAKERS = flag("speakers", "Say who speaks, as far as that is known.", default=True)

# For Azure's clients.

API_VERSION = text("api-version", "Azure's clients send it. Changes nothing.", example="2024-06-01")

Parameters = tuple[Parameter[Any], ...]

SUBTITLES = ("srt", "vtt")

LAYOUT: Parameters = (
    *(MAX_LINE_WIDTH, MAX_LINE_COUNT, MAX_WORDS_PER_LINE, MAX_CUE_SECONDS, HIGHLIGHT_WORDS),
)
# What changes nothing in other formats; a stream's format is "events".
SHOWN_IN: Mapping[Parameter[Any], tuple[str, ...]] = MappingProxyType(
    {
        **dict.fromkeys(LAYOUT, SUBTITLES),
        WORD_TIMESTAMPS: ("json",),
        RETURN_SPEAKER_EMBEDDINGS: ("json",),
        TIMESTAMP_GRANULARITIES: ("verbose_json", "events"),
        PROGRESS: ("events",),
        INCLUDE: ("json", "events"),
        SAY_SPEAKERS: ("diarized_json", "verbose_json", *OPENAI, "events"),
    }
)

COUNTS: Parameters = (NUM_SPEAKERS, MIN_SPEAKERS, MAX_SPEAKERS)
# What changes nothing where speakers are not told apart.
OF_SPEAKERS: Parameters = (*COUNTS, RETURN_SPEAKER_EMBEDDINGS, KNOWN_SPEAKER_NAMES)

ASR: Parameters = (
    *(OUTPUT, OUTPUT_FORMAT, TASK, LANGUAGE, MODEL, INITIAL_PROMPT, HOTWORDS),
    *(ENCODE, VAD_FILTER, WORD_TIMESTAMPS, VIDEO_FILE, AUDIO_TRACK, URL),
    *(DIARIZE, ENABLE_DIARIZATION, *COUNTS, RETURN_SPEAKER_EMBEDDINGS),
    *LAYOUT,
)
DETECT: Parameters = (ENCODE, MODEL, AUDIO_TRACK, VIDEO_FILE, URL)
TRANSCRIPTIONS: Parameters = (
    *(MODEL, LANGUAGE, PROMPT, HOTWORDS, RESPONSE_FORMAT, TEMPERATURE, TIMESTAMP_GRANULARITIES),
    *(STREAM, PROGRESS, INCLUDE, CHUNKING_STRATEGY, KNOWN_SPEAKER_NAMES, KNOWN_SPEAKER_REFERENCES),
    *(SAY_SPEAKERS, *COUNTS, AUDIO_TRACK, URL, *LAYOUT),
)
FORMATTING: Parameters = (FORMAT, SHOW_SPEAKERS, *LAYOUT)
AZURE: Parameters = (*TRANSCRIPTIONS, API_VERSION)
