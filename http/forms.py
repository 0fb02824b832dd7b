"""From the fields of a request to checked options, or InvalidRequest naming the field."""

from __future__ import annotations

import json
from base64 import b64decode
from typing import TYPE_CHECKING, Any, Literal

from asr.http import parameters as known
from asr.http.fields import ECHO_MAX, wrong
from asr.pipeline.cues import Layout
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.letters import LABEL
from asr.pipeline.types import KnownSpeaker, Options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from asr.http.fields import Fields, Parameter
    from asr.http.parameters import Parameters
    from asr.pipeline.formats import Granularity
    from asr.pipeline.types import Task

Dialect = Literal["classic", "wrapped"]

# Only clients of the original service send these; `output_format` only those of the wrapped one.
CLASSIC_ONLY = (known.OUTPUT, known.ENCODE, known.VAD_FILTER, known.VIDEO_FILE)

STRANGERS_MAX = 10  # unknown parameters that are named in a warning

ALWAYS_CUT = "audio is always cut where nobody speaks"


def asr_dialect(fields: Fields) -> Dialect:
    """Which of its two dialects a client of /asr speaks, told by the names that it uses."""
    if fields.given(known.OUTPUT_FORMAT):
        return "wrapped"
    return "classic" if any(fields.given(parameter) for parameter in CLASSIC_ONLY) else "wrapped"


def asr_format(fields: Fields, dialect: Dialect) -> str:
    """The wanted format; where a dialect is forced on a client, the other's name counts, too."""
    output, output_format = fields.read(known.OUTPUT), fields.read(known.OUTPUT_FORMAT)
    if dialect == "classic":
        return output or output_format or "txt"
    asked = output_format or output or "json"
    return "text" if asked == "txt" else asked


def asr_options(fields: Fields, dialect: Dialect, format: str, *, diarizes: bool) -> Options:
    """The options of /asr. Wrapped clients expect words, and speakers where they can be had.

    Words and speakers cost time: they are made only where they will be shown. Voices are those of
    speakers, so who wants the ones wants the others.
    """
    rich = dialect == "wrapped"
    asked = asks_for_speakers(fields)
    voices = fields.read(known.RETURN_SPEAKER_EMBEDDINGS) and format == "json"
    diarize = (rich and diarizes) or voices if asked is None else asked
    words = fields.read(known.WORD_TIMESTAMPS)
    fewest, most = bounds(fields)
    return Options(
        model=fields.read(known.MODEL),
        language=fields.read(known.LANGUAGE),
        task=fields.read(known.TASK),
        prompt=fields.read(known.INITIAL_PROMPT),
        hotwords=fields.read(known.HOTWORDS),
        words=format == "json" and (rich if words is None else words),
        diarize=diarize and (rich or format != "tsv"),  # the classic table has no place for them
        num_speakers=fields.read(known.NUM_SPEAKERS),
        min_speakers=fewest,
        max_speakers=most,
        embeddings=voices,
        audio_track=fields.read(known.AUDIO_TRACK),
    )


def asks_for_speakers(fields: Fields) -> bool | None:
    """Whether a client of /asr wants to know who speaks, if it says so by either name."""
    asked = [fields.read(known.DIARIZE), fields.read(known.ENABLE_DIARIZATION)]
    return None if asked == [None, None] else any(asked)


def openai_options(
    fields: Fields, *, task: Task, words: bool, diarize: bool, resegment: bool
) -> Options:
    """The options of /v1/audio; ``resegment``: a segment has one speaker only."""
    fewest, most = bounds(fields)
    voices = known_speakers(fields)
    return Options(
        model=fields.read(known.MODEL),
        language=fields.read(known.LANGUAGE),
        task=task,
        prompt=fields.read(known.PROMPT),
        hotwords=fields.read(known.HOTWORDS),
        # OpenAI documents 0 as "warmer by itself where the text looks wrong": that is our default.
        temperature=fields.read(known.TEMPERATURE) or None,
        words=words,
        diarize=diarize,
        num_speakers=fields.read(known.NUM_SPEAKERS),
        min_speakers=fewest,
        max_speakers=most,
        resegment=resegment or None,
        known_speakers=voices if diarize else (),
        logprobs="logprobs" in fields.read_all(known.INCLUDE),
        audio_track=fields.read(known.AUDIO_TRACK),
    )


def bounds(fields: Fields) -> tuple[int | None, int | None]:
    """The fewest and the most speakers."""
    fewest, most = fields.read(known.MIN_SPEAKERS), fields.read(known.MAX_SPEAKERS)
    if fewest is not None and most is not None and fewest > most:
        raise InvalidRequest("min_speakers is more than max_speakers", param="min_speakers")
    return fewest, most


def layout(fields: Fields, *, default: Layout) -> Layout:
    """How subtitles are to be laid out; ``default`` is for who says nothing of it."""
    if not any(fields.given(parameter) for parameter in known.LAYOUT):
        return default
    return Layout(
        line_width_max=fields.read(known.MAX_LINE_WIDTH),
        lines_max=fields.read(known.MAX_LINE_COUNT),
        line_words_max=fields.read(known.MAX_WORDS_PER_LINE),
        highlight_words=fields.read(known.HIGHLIGHT_WORDS),
        cue_s_max=fields.read(known.MAX_CUE_SECONDS),
    )


def granularities(fields: Fields) -> frozenset[Granularity]:
    """What verbose_json shall have times of."""
    return frozenset(asked for asked in fields.read_all(known.TIMESTAMP_GRANULARITIES) if asked)


def known_speakers(fields: Fields) -> tuple[KnownSpeaker, ...]:
    """The voices that the client knows: as many names as clips."""
    clip = known.KNOWN_SPEAKER_REFERENCES.name
    name = known.KNOWN_SPEAKER_NAMES.name
    names = [name or "" for name in fields.read_all(known.KNOWN_SPEAKER_NAMES)]
    clips = [url or "" for url in fields.read_all(known.KNOWN_SPEAKER_REFERENCES)]
    if len(names) != len(clips):
        raise InvalidRequest(
            f"{len(names)} known speaker names came with {len(clips)} clips; send one for each",
            param=clip,
        )
    if len(names) > known.REFERENCES_MAX:
        raise InvalidRequest(f"At most {known.REFERENCES_MAX} speakers may be known", param=clip)
    if len(set(names)) < len(names):
        raise InvalidRequest("Two known speakers have the same name", param=name)
    if ours := next(filter(LABEL.fullmatch, names), None):
        raise InvalidRequest(f"{ours}: such names are for speakers who are not known", param=name)
    return tuple(KnownSpeaker(*voice) for voice in zip(names, map(_clip, clips), strict=True))


def _clip(url: str) -> bytes:
    """The bytes in a data URL."""
    name = known.KNOWN_SPEAKER_REFERENCES.name
    head, comma, data = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise wrong(name, url, "a data URL such as data:audio/wav;base64,…")
    try:
        clip = b64decode(data, validate=True)
    except ValueError:  # no base64, or not even ASCII
        raise wrong(name, url, "a data URL in base64") from None
    if not 0 < len(clip) <= known.REFERENCE_BYTES_MAX:
        bound = f"a clip has 1 to {known.REFERENCE_BYTES_MAX} bytes"
        raise InvalidRequest(f"{name}: {bound}", param=name)
    return clip


def unknown(name: str) -> str:
    """What is said of a parameter that is none of ours."""
    return f"the parameter {name[:ECHO_MAX]!r} is not known here"


def strangers(fields: Fields, parameters: Parameters) -> Iterator[str]:
    """What is sent and not known, in the words of ``warnings``."""
    names = [name for name in fields.strangers(parameters) if not _is_known_part(name, parameters)]
    yield from map(unknown, names[:STRANGERS_MAX])
    if len(names) > STRANGERS_MAX:
        yield f"{len(names) - STRANGERS_MAX} more parameters are not known here"


def remarks(
    fields: Fields,
    parameters: Parameters,
    *,
    format: str,
    diarize: bool = False,
    shown_in: Mapping[Parameter[Any], tuple[str, ...]] = known.SHOWN_IN,
) -> Iterator[str]:
    """What a client asked for in its fields that changes nothing, for the answer's ``warnings``.

    ``format`` is the answer's, or "events" for a stream of them; ``diarize``, whether speakers are
    asked for; ``shown_in``, the formats in which alone a parameter changes anything.
    """
    yield from strangers(fields, parameters)
    for parameter in parameters:
        formats = shown_in.get(parameter, (format,))
        if format not in formats and any(fields.read_all(parameter)):
            yield f"{parameter.name} only shows in {_listed(formats)}"
        elif parameter in known.OF_SPEAKERS and any(fields.read_all(parameter)) and not diarize:
            yield f"{parameter.name} changed nothing: speakers are not told apart"
    if format in known.SUBTITLES and _only_counts_lines(fields):
        yield "max_line_count changed nothing: it needs max_line_width"
    if format == "events" and fields.read(known.RESPONSE_FORMAT) in known.SUBTITLES:
        yield "response_format changed nothing: a stream has events"
    if known.OUTPUT in parameters:
        yield from _other_formats(fields, format)
    if known.VAD_FILTER in parameters and fields.read(known.VAD_FILTER) is False:
        yield f"vad_filter=false changed nothing: {ALWAYS_CUT}"
    if known.CHUNKING_STRATEGY in parameters:
        yield from _chunking(fields)


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _other_formats(fields: Fields, format: str) -> Iterator[str]:
    """The two names of the format may contradict each other; one is followed."""
    alias = {"txt": "text"}
    for parameter in (known.OUTPUT, known.OUTPUT_FORMAT):
        asked = fields.read(parameter)
        if asked and alias.get(asked, asked) != alias.get(format, format):
            yield f"{parameter.name}={asked} changed nothing: the answer is {format}"


def _is_known_part(name: str, parameters: Parameters) -> bool:
    """Whether a name is that of a part of the only parameter that has parts."""
    chunking = known.CHUNKING_STRATEGY
    return chunking in parameters and name.startswith(f"{chunking.name}[")


def _only_counts_lines(fields: Fields) -> bool:
    """As in openai-whisper, lines that may be of any width are not counted."""
    return fields.given(known.MAX_LINE_COUNT) and not fields.given(known.MAX_LINE_WIDTH)


def _chunking(fields: Fields) -> Iterator[str]:
    """OpenAI's way to cut audio: checked for sense, and named where ours is another.

    It is "auto", an object as JSON, or an object's parts as the SDKs send them.
    """
    name = known.CHUNKING_STRATEGY.name
    parts = {key for key in fields.values if key.startswith(f"{name}[")}
    text = fields.read(known.CHUNKING_STRATEGY)
    kind = fields.values.get(f"{name}[type]", ("server_vad",))[-1]
    if text is not None and text.lower() != "auto":
        kind, parts = _type_in(name, text), {name}
    if kind != "server_vad":
        raise wrong(name, kind, "auto, or an object of the type server_vad")
    if parts:
        yield f"{name} changed nothing: {ALWAYS_CUT}"


def _type_in(name: str, text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    kind = value.get("type") if isinstance(value, dict) else None
    if not isinstance(kind, str):
        raise wrong(name, text, "auto, or an object of the type server_vad")
    return kind
