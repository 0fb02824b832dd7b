"""From the fields of a query and a form to checked values, or InvalidRequest naming the field."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from asr.pipeline.errors import InvalidRequest
from asr.pipeline.languages import canonical_language
from asr.pipeline.types import Options, Task

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from asr.pipeline.formats import Granularity

    Pairs = Iterable[tuple[str, str]]

T = TypeVar("T")

Dialect = Literal["classic", "wrapped"]

FLAGS = MappingProxyType(
    {
        **dict.fromkeys(("true", "1", "yes", "on", "t", "y"), True),
        **dict.fromkeys(("false", "0", "no", "off", "f", "n"), False),
    }
)
TASKS: Mapping[str, Task] = MappingProxyType({"transcribe": "transcribe", "translate": "translate"})
GRANULARITIES: Mapping[str, Granularity] = MappingProxyType({"word": "word", "segment": "segment"})

# Only clients of the original service send these; `output_format` only those of the wrapped one.
CLASSIC_NAMES = ("output", "encode", "vad_filter", "video_file")


@dataclass(frozen=True, slots=True)
class Fields:
    """What the client sent, by name. An empty value was not given; ``name[]`` is ``name``."""

    values: Mapping[str, tuple[str, ...]]

    @staticmethod
    def gather(query: Pairs, form: Pairs) -> Fields:
        """Both sources in one; a name in the query hides the form's."""
        return Fields({**by_name(form), **by_name(query)})

    def all(self, name: str) -> tuple[str, ...]:
        """Every value of a name, in order."""
        return self.values.get(name, ())

    def text(self, name: str) -> str | None:
        """The last value of a name."""
        return next(reversed(self.all(name)), None)

    def flag(self, name: str, *, default: bool) -> bool:
        """A yes or a no, in any of the usual spellings."""
        return self.choice(name, FLAGS, default=default)

    def choice(self, name: str, choices: Mapping[str, T], *, default: T) -> T:
        """One of the given words, in any case."""
        text = self.text(name)
        return default if text is None else pick(name, text, choices)

    def count(self, name: str) -> int | None:
        """A whole number, at least 1."""
        text = self.text(name)
        if text is None:
            return None
        if not (text.isascii() and text.isdecimal() and len(text) <= 4 and int(text) > 0):
            raise wrong(name, text, "a whole number from 1 to 9999")
        return int(text)

    def number(self, name: str, *, least: float, most: float) -> float | None:
        """A finite number between two bounds, both included."""
        text = self.text(name)
        if text is None:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not least <= value <= most:  # false for NaN, too
            raise wrong(name, text, f"a number from {least:g} to {most:g}")
        return value


def by_name(pairs: Pairs) -> dict[str, tuple[str, ...]]:
    """Values by name, without the empty ones."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        if value.strip():
            bare = name.removesuffix("[]")
            found[bare] = (*found.get(bare, ()), value.strip())
    return found


def pick(name: str, text: str, choices: Mapping[str, T]) -> T:
    """What a word stands for."""
    try:
        return choices[text.lower()]
    except KeyError:
        raise wrong(name, text, f"one of {', '.join(choices)}") from None


def wrong(name: str, text: str, wanted: str) -> InvalidRequest:
    """The error for a field whose value is not of its kind."""
    return InvalidRequest(f"{name} must be {wanted}, not {text[:40]!r}", param=name)


def asr_dialect(fields: Fields) -> Dialect:
    """Which of its two dialects a client of /asr speaks, told by the names that it uses."""
    if fields.all("output_format"):
        return "wrapped"
    return "classic" if any(fields.all(name) for name in CLASSIC_NAMES) else "wrapped"


def asr_options(fields: Fields, dialect: Dialect, *, diarizes: bool) -> Options:
    """The options of /asr. Wrapped clients expect words, and speakers where they can be had."""
    rich = dialect == "wrapped"
    asked = [
        fields.flag(name, default=False)
        for name in ("diarize", "enable_diarization")
        if fields.all(name)
    ]
    fewest, most = fields.count("min_speakers"), fields.count("max_speakers")
    if fewest is not None and most is not None and fewest > most:
        raise InvalidRequest("min_speakers is more than max_speakers", param="min_speakers")
    return Options(
        model=fields.text("model"),
        language=language(fields),
        task=fields.choice("task", TASKS, default="transcribe"),
        prompt=fields.text("initial_prompt"),
        hotwords=fields.text("hotwords"),
        words=fields.flag("word_timestamps", default=rich),
        diarize=any(asked) if asked else rich and diarizes,
        num_speakers=fields.count("num_speakers"),
        min_speakers=fewest,
        max_speakers=most,
    )


def openai_options(fields: Fields, *, task: Task, words: bool) -> Options:
    """The options of /v1/audio."""
    # OpenAI documents 0 as "raise it by yourself when the text looks wrong", which is our default.
    temperature = fields.number("temperature", least=0, most=1) or None
    return Options(
        model=fields.text("model"),
        language=language(fields),
        task=task,
        prompt=fields.text("prompt"),
        hotwords=fields.text("hotwords"),
        temperature=temperature,
        words=words,
    )


def granularities(fields: Fields) -> frozenset[Granularity]:
    """What verbose_json shall have times of."""
    name = "timestamp_granularities"
    return frozenset(pick(name, text, GRANULARITIES) for text in fields.all(name))


def language(fields: Fields) -> str | None:
    """Whisper's code for the language, or None to detect it."""
    text = fields.text("language")
    return None if text is None else canonical_language(text)
