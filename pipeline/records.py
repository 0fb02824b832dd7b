"""What this house keeps or hands to another process: its values as bytes, and back without a loss.

Values that grow with the audio are JSON packed by zlib, which has a checksum; options, progress and
errors are objects of JSON. Each says in which VERSION it was written. A field with a default may be
added to a value without a new one: older records are read as if they had it. Whatever else changes
needs a new one.

What is read and cannot be understood, because it is damaged, of another version, or something else,
is ValueError. No path is in any record.
"""

from __future__ import annotations

import json
import zlib
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from asr.pipeline.audio import Audio
from asr.pipeline.coding import Coding, Known, coding_of
from asr.pipeline.errors import AsrError, Busy, InvalidRequest
from asr.pipeline.speakers import Diarization
from asr.pipeline.types import (
    Detected,
    Found,
    Hypothesis,
    Options,
    Progress,
    Transcript,
    Window,
    Word,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VERSION = 1

# An hour's transcript, 1.5 MB of JSON, becomes 0.37 MB in 12 ms; level 6 saves 9 % in twice that.
PACK_LEVEL = 3

# More is damaged, or hostile: a transcript of ten hours with everything has a tenth of it.
UNPACKED_MAX = 512 << 20

# The audio of a window is not kept: it is at hand when the window is read.
NOWHERE = Audio(Path(), 0)

KNOWN = Known(
    # What hints name that their modules import for type checkers alone.
    names=MappingProxyType({"Audio": Audio, "Diarization": Diarization}),
    codings=MappingProxyType({Audio: Coding(lambda _: None, lambda _: NOWHERE)}),
)

# What an error has beside its message, in the classes that have it.
FIELDS: Mapping[type[AsrError], Mapping[str, tuple[type, ...]]] = MappingProxyType(
    {
        InvalidRequest: {"param": (str, type(None)), "code": (str, type(None))},
        Busy: {"retry_after_s": (float, int)},
    }
)


def dump_transcript(transcript: Transcript) -> bytes:
    """A transcript with all that is known of it."""
    return _pack(Transcript, transcript)


def load_transcript(record: bytes) -> Transcript:
    """The transcript in a record. Raises ValueError."""
    transcript: Transcript = _unpack(Transcript, record)
    return transcript


def dump_words(words: tuple[Word, ...]) -> bytes:
    """Words and when they are spoken."""
    return _pack(tuple[Word, ...], words)


def load_words(record: bytes) -> tuple[Word, ...]:
    """The words in a record. Raises ValueError."""
    words: tuple[Word, ...] = _unpack(tuple[Word, ...], record)
    return words


def dump_heard(heard: tuple[Hypothesis, ...]) -> bytes:
    """What was heard of a window, without the audio that it is of."""
    return _pack(tuple[Hypothesis, ...], heard)


def load_heard(record: bytes, audio: Audio) -> tuple[Hypothesis, ...]:
    """What was heard of a window of this audio. Raises ValueError."""
    heard: tuple[Hypothesis, ...] = _unpack(tuple[Hypothesis, ...], record)
    return tuple(of_audio(each, audio) for each in heard)


def of_audio(heard: Hypothesis, audio: Audio) -> Hypothesis:
    """The same, said of another audio with the same samples."""
    window = heard.window
    return replace(heard, window=Window(audio, window.start_s, window.end_s))


def dump_found(found: tuple[Found, ...]) -> bytes:
    """Where somebody speaks, as it was found block by block."""
    return _pack(tuple[Found, ...], found)


def load_found(record: bytes) -> tuple[Found, ...]:
    """Where somebody speaks, block by block. Raises ValueError."""
    found: tuple[Found, ...] = _unpack(tuple[Found, ...], record)
    return found


def dump_detected(detected: Detected) -> bytes:
    """A language."""
    return _pack(Detected, detected)


def load_detected(record: bytes) -> Detected:
    """The language in a record. Raises ValueError."""
    detected: Detected = _unpack(Detected, record)
    return detected


def dump_diarization(diarization: Diarization) -> bytes:
    """Who speaks when."""
    return _pack(Diarization, diarization)


def load_diarization(record: bytes) -> Diarization:
    """Who speaks when, of a record. Raises ValueError."""
    diarization: Diarization = _unpack(Diarization, record)
    return diarization


def dump_options(options: Options) -> dict[str, Any]:
    """What a client asked for, with the clips of known speakers in base64."""
    return _plain(Options, options)


def load_options(plain: Mapping[str, Any]) -> Options:
    """What a client asked for. Raises ValueError."""
    options: Options = _value(Options, plain)
    return options


def dump_progress(progress: Progress) -> dict[str, Any]:
    """How far a request is, with its news."""
    return _plain(Progress, progress)


def load_progress(plain: Mapping[str, Any]) -> Progress:
    """How far a request is. Raises ValueError."""
    progress: Progress = _value(Progress, plain)
    return progress


def dump_error(error: AsrError) -> dict[str, Any]:
    """An error that may be shown to a client: what it is, most precisely first, and what it has."""
    named = {name: getattr(error, name) for name in _fields_of(type(error))}
    kinds = [kind.__name__ for kind in type(error).__mro__ if issubclass(kind, AsrError)]
    return {"version": VERSION, "kinds": kinds, "message": error.message, **named}


def load_error(plain: Mapping[str, Any]) -> AsrError:
    """An error as it was raised elsewhere; of a class unknown here, it is the nearest known one.

    Raises ValueError.
    """
    try:
        kinds, message = plain["kinds"], plain["message"]
        if plain["version"] != VERSION or not isinstance(message, str):
            raise ValueError("no error of this version")
        known = {kind.__name__: kind for kind in _all_kinds(AsrError)}
        kind = next((known[name] for name in kinds if name in known), AsrError)
        named = {name: _checked(plain[name], types) for name, types in _fields_of(kind).items()}
    except (KeyError, TypeError) as error:
        raise ValueError("no error") from error
    raised = kind.__new__(kind)  # each class makes its message of something else
    AsrError.__init__(raised, message)
    for name, value in named.items():
        setattr(raised, name, value)
    return raised


def _pack(kind: Any, value: object) -> bytes:
    text = json.dumps(_plain(kind, value), ensure_ascii=True, separators=(",", ":"))
    return zlib.compress(text.encode("ascii"), PACK_LEVEL)


def _unpack(kind: Any, record: bytes) -> Any:
    try:
        return _value(kind, json.loads(_inflated(record)))
    except RecursionError as error:
        raise ValueError("no record") from error


def _inflated(record: bytes) -> bytes:
    unpacking = zlib.decompressobj()
    try:
        text = unpacking.decompress(record, UNPACKED_MAX)
    except zlib.error as error:
        raise ValueError("a damaged record") from error
    if not unpacking.eof or unpacking.unused_data:
        raise ValueError("a record that was cut off, or goes on")
    return text


def _plain(kind: Any, value: object) -> dict[str, Any]:
    return {"version": VERSION, "value": _coding(kind).write(value)}


def _value(kind: Any, plain: Any) -> Any:
    if not isinstance(plain, dict) or plain.keys() != {"version", "value"}:
        raise ValueError("no record")
    if type(plain["version"]) is not int or plain["version"] != VERSION:
        raise ValueError("a record of another version")
    return _coding(kind).read(plain["value"])


@cache
def _coding(kind: Any) -> Coding[Any]:
    return coding_of(kind, KNOWN)


def _fields_of(kind: type[AsrError]) -> dict[str, tuple[type, ...]]:
    """What errors of a class have beside their message."""
    having = (named for owner, named in FIELDS.items() if issubclass(kind, owner))
    return {name: types for named in having for name, types in named.items()}


def _all_kinds(kind: type[AsrError]) -> Iterator[type[AsrError]]:
    yield kind
    for below in kind.__subclasses__():
        yield from _all_kinds(below)


def _checked(value: object, types: tuple[type, ...]) -> object:
    if type(value) not in types:
        raise ValueError("an error with something else in it")
    return value
