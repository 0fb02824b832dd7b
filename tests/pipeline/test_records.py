"""Records: what is written is read again as it was, and nothing else is taken for it."""

import json
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr.pipeline import records
from asr.pipeline.audio import Audio
from asr.pipeline.coding import Known, coding_of
from asr.pipeline.speakers import Diarization, Turn
from asr.pipeline.types import (
    Detected,
    Found,
    Hypothesis,
    KnownSpeaker,
    Options,
    Piece,
    Progress,
    Segment,
    Span,
    Token,
    Transcript,
    Window,
    Word,
)

AUDIO = Audio(Path("speech.pcm"), 16_000)

numbers = st.floats() | st.integers(-(2**53), 2**53)
texts = st.text(st.characters(), max_size=20)  # lone surrogates, too
tokens = st.integers(0, 60_000)


def few(each: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(each, max_size=3).map(tuple)


maybe_number, maybe_text = st.none() | numbers, st.none() | texts
words = st.builds(Word, texts, maybe_number, maybe_number, maybe_number, maybe_text)
segments = st.builds(
    Segment,
    start_s=numbers,
    end_s=numbers,
    text=texts,
    tokens=few(tokens),
    window_start_s=numbers,
    temperature=numbers,
    avg_logprob=numbers,
    no_speech_prob=numbers,
    compression_ratio=numbers,
    words=few(words),
    speaker=maybe_text,
    said=few(st.builds(Token, st.binary(max_size=8), numbers)),
)
turns = st.builds(Turn, numbers, numbers, texts)
diarizations = st.builds(
    Diarization,
    few(turns),
    few(turns),
    st.dictionaries(texts, few(numbers), max_size=3),
    texts,
    few(texts),
)
transcripts = st.builds(
    Transcript,
    texts,
    st.sampled_from(["transcribe", "translate"]),
    numbers,
    few(segments),
    few(texts),
    st.none() | diarizations,
)
pieces = st.builds(
    Piece, numbers, numbers, texts, few(tokens), few(words), few(numbers), few(st.binary())
)
heard = few(
    st.builds(
        Hypothesis,
        window=st.builds(Window, st.just(AUDIO), numbers, numbers),
        pieces=few(pieces),
        heard_until_s=numbers,
        temperature=numbers,
        avg_logprob=numbers,
        no_speech_prob=numbers,
        compression_ratio=numbers,
        prompt_cut=st.booleans(),
    )
)
found = few(st.builds(Found, few(st.builds(Span, numbers, numbers)), numbers, st.booleans()))
counts = st.none() | st.integers(1, 20)
options = st.builds(
    Options,
    model=maybe_text,
    language=maybe_text,
    task=st.sampled_from(["transcribe", "translate"]),
    prompt=maybe_text,
    hotwords=maybe_text,
    temperature=maybe_number,
    words=st.booleans(),
    diarize=st.booleans(),
    num_speakers=counts,
    min_speakers=counts,
    max_speakers=counts,
    embeddings=st.booleans(),
    resegment=st.none() | st.booleans(),
    known_speakers=few(st.builds(KnownSpeaker, texts, st.binary())),
    logprobs=st.booleans(),
    audio_track=counts,
)

# What is written, how, and how it is read.
PACKED: Mapping[str, tuple[st.SearchStrategy[Any], Callable[..., bytes], Callable[..., Any]]] = {
    "a transcript": (transcripts, records.dump_transcript, records.load_transcript),
    "words": (few(words), records.dump_words, records.load_words),
    "what was heard": (heard, records.dump_heard, lambda r: records.load_heard(r, AUDIO)),
    "speech": (found, records.dump_found, records.load_found),
    "a language": (
        st.builds(Detected, texts, numbers),
        records.dump_detected,
        records.load_detected,
    ),
    "who speaks": (diarizations, records.dump_diarization, records.load_diarization),
}

WORD = Word(" so", 1.0, 1.25, 0.5, "SPEAKER_00")
SEGMENT = Segment(1.0, 2.0, " so", (5, 6), 0.0, 0.0, -0.25, 0.125, 1.5, (WORD,), "SPEAKER_00")
TRANSCRIPT = Transcript("en", "transcribe", 60.0, (SEGMENT,) * 3, ("a warning",))


def same(one: object, other: object) -> bool:
    """By what they print: NaN is itself there, and 1 is not 1.0."""
    return repr(one) == repr(other)


@pytest.mark.parametrize("what", PACKED)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_what_is_packed_is_read_as_it_was(what: str, data: st.DataObject) -> None:
    values, dump, load = PACKED[what]
    value = data.draw(values)
    assert same(load(dump(value)), value)


@given(options)
@settings(max_examples=60, deadline=None)
def test_options_are_json_and_read_as_they_were(asked: Options) -> None:
    read = records.load_options(json.loads(json.dumps(records.dump_options(asked))))
    assert same(read, asked)
    assert [k.clip for k in read.known_speakers] == [k.clip for k in asked.known_speakers]


@given(st.builds(Progress, numbers, numbers, few(segments)))
@settings(max_examples=30, deadline=None)
def test_progress_is_json_and_read_as_it_was(progress: Progress) -> None:
    written = json.loads(json.dumps(records.dump_progress(progress)))
    assert same(records.load_progress(written), progress)


def test_what_was_heard_is_read_as_said_of_the_audio_at_hand_and_knows_no_path() -> None:
    window = Window(AUDIO, 0.0, 1.0)
    said = (Hypothesis(window, (), 1.0, 0.0, -0.1, 0.0, 1.0),)
    record = records.dump_heard(said)
    other = Audio(Path("elsewhere.pcm"), 16_000)
    assert records.load_heard(record, other)[0].window == Window(other, 0.0, 1.0)
    assert ".pcm" not in zlib.decompress(record).decode()


def test_a_record_with_a_wrong_bit_is_no_record() -> None:
    record = records.dump_transcript(TRANSCRIPT)
    read = []
    for at, byte in enumerate(record):
        damaged = bytes((*record[:at], byte ^ (1 << (at % 8)), *record[at + 1 :]))
        with suppress(ValueError):
            read.append(records.load_transcript(damaged))
    assert read in ([], [TRANSCRIPT])  # one bit may be there to fill the last byte up


@pytest.mark.parametrize("length", [0, 1, 2, 10, 50, -1, -4])
def test_a_record_that_was_cut_off_is_none(length: int) -> None:
    with pytest.raises(ValueError, match="record"):
        records.load_transcript(records.dump_transcript(TRANSCRIPT)[:length])


def test_a_record_that_goes_on_is_none() -> None:
    with pytest.raises(ValueError, match="goes on"):
        records.load_transcript(records.dump_transcript(TRANSCRIPT) * 2)


def test_a_record_that_would_fill_the_memory_is_not_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(records, "UNPACKED_MAX", 1000)
    with pytest.raises(ValueError, match="goes on"):
        records.load_transcript(zlib.compress(b" " * 1001))


@pytest.mark.parametrize("load", [load for _, _, load in PACKED.values()], ids=PACKED)
@given(
    junk=st.binary()
    | st.recursive(
        st.none() | st.booleans() | numbers | texts,
        lambda inner: st.lists(inner) | st.dictionaries(texts | st.sampled_from(["value"]), inner),
    ).map(lambda value: zlib.compress(json.dumps({"version": 1, "value": value}).encode()))
)
@settings(max_examples=60, deadline=None)
def test_junk_is_a_value_error_or_empty(load: Callable[..., Any], junk: bytes) -> None:
    with suppress(ValueError):
        assert load(junk) == ()


def test_deep_junk_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="record"):
        records.load_found(zlib.compress(b"[" * 200_000))


@pytest.mark.parametrize("version", [0, 2, "1", True, None])
def test_another_version_is_a_value_error(version: object) -> None:
    written = records.dump_options(Options()) | {"version": version}
    with pytest.raises(ValueError, match="version"):
        records.load_options(written)


@pytest.mark.parametrize(
    "change",
    [
        {"model": 5},
        {"words": 1},
        {"temperature": True},
        {"task": "sing"},
        {"known_speakers": [{"name": "Ada", "clip": "?"}]},
        {"known_speakers": [{"name": "Ada"}]},
        {"known_speakers": {}},
        {"of_a_later_version": 1},
    ],
    ids=str,
)
def test_what_is_not_of_its_type_is_a_value_error(change: dict[str, object]) -> None:
    written = records.dump_options(Options())
    with pytest.raises(ValueError, match=r"expected|no "):
        records.load_options(written | {"value": written["value"] | change})


def test_what_the_first_version_wrote_is_read() -> None:
    word = {"text": " so", "start_s": 1.0, "end_s": 1.25, "score": 0.5, "speaker": "SPEAKER_00"}
    segment = {
        "start_s": 1.0,
        "end_s": 2.0,
        "text": " so",
        "tokens": [5, 6],
        "window_start_s": 0.0,
        "temperature": 0.0,
        "avg_logprob": -0.25,
        "no_speech_prob": 0.125,
        "compression_ratio": 1.5,
        "words": [word],
        "speaker": "SPEAKER_00",
    }
    value = {
        "language": "en",
        "task": "transcribe",
        "duration_s": 60.0,
        "segments": [segment] * 3,
        "warnings": ["a warning"],
    }
    record = zlib.compress(json.dumps({"version": 1, "value": value}).encode())
    assert records.load_transcript(record) == TRANSCRIPT


def test_a_type_that_nobody_knows_how_to_write_is_a_bug_of_ours() -> None:
    with pytest.raises(TypeError, match="nothing is known"):
        coding_of(set[int], Known())
