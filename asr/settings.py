"""Everything that the operator set, as one frozen value made of the rooms' own dataclasses.

The rooms' dataclasses stay plain: text from outside is turned into values here and nowhere else,
and every problem found on the way is reported at once.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType, NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_origin, get_type_hints

from dotenv.parser import parse_stream
from pydantic import ConfigDict, Field, SecretStr, TypeAdapter, ValidationError

from asr.actors.fetcher import UrlSettings
from asr.actors.jobs.settings import ClusterSettings, JobSettings
from asr.actors.settings import HouseSettings
from asr.http.settings import HttpSettings
from asr.pipeline.diarize.parameters import parameters
from asr.pipeline.engine import EngineSettings
from asr.pipeline.models import ModelSettings
from asr.pipeline.speakers import SpeakerSettings
from asr.terminal.logs import LogSettings
from asr.terminal.traces import TraceSettings


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and the largest number allowed; no number is negative unless said here."""

    least: float = 0
    most: float | None = None

    def __str__(self) -> str:
        up_to = f"at least {self.least:g}"
        return up_to if self.most is None else f"from {self.least:g} to {self.most:g}"


RANGES: Mapping[str, Range] = MappingProxyType(
    {
        "ASR_AUDIO_MAX_S": Range(least=1),
        "ASR_CONNECTIONS_MAX": Range(least=1),
        "ASR_HANG_S": Range(least=1),
        "ASR_INLINE_MAX_MB": Range(least=1, most=256),
        "ASR_JOBS_AT_ONCE": Range(least=1),
        "ASR_JOBS_AUDIO_MAX_MB": Range(least=1),
        "ASR_JOBS_DEADLINE_S": Range(least=1),
        "ASR_JOBS_KEEP_S": Range(least=60),
        "ASR_LEASE_S": Range(least=1),
        "ASR_MEMORY_MAX_MB": Range(least=1),
        "ASR_MODELS_MAX_MB": Range(least=1),
        "ASR_REQUEST_DEADLINE_S": Range(least=1),
        "ASR_UPLOADS_MAX_MB": Range(least=1),
        "ASR_URL_TIMEOUT_S": Range(least=1),
        "BATCH_SIZE": Range(least=1),
        "DIARIZE_CLUSTERING_THRESHOLD": Range(most=2),
        "GPU_CONCURRENCY": Range(least=1),
        "MAX_FILE_SIZE_MB": Range(least=1),
        "PORT": Range(most=65535),
    }
)

# Raised to this in silence, as the reference service does: its users' environments hold less.
FLOORS: Mapping[str, int] = MappingProxyType({"MODEL_EVICTION_INTERVAL_SECONDS": 30})

# An empty value means "not given", except here: an empty PRELOAD_MODEL means no preload.
EMPTY_COUNTS = frozenset({"PRELOAD_MODEL"})

KINDS: Mapping[Any, str] = MappingProxyType(
    {int: "a whole number", float: "a number", bool: "true or false", Mapping: "a JSON object"}
)


class SettingsError(Exception):
    """The settings cannot be used; ``problems`` says why, one line each, without secrets."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Malformed(Exception):
    """A text that is not what its setting expects; the message says what that is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator set, one dataclass a room. Secrets show as asterisks."""

    models: ModelSettings
    engine: EngineSettings
    speakers: SpeakerSettings
    house: HouseSettings
    jobs: JobSettings
    cluster: ClusterSettings
    urls: UrlSettings
    http: HttpSettings
    log: LogSettings
    traces: TraceSettings

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], dotenv: Path | None = None) -> Self:
        """Settings from the environment, which wins, and a ``.env`` file; or SettingsError."""
        settings, problems = cls.understood(environ, dotenv)
        if problems:
            raise SettingsError(problems)
        return settings

    @classmethod
    def understood(
        cls, environ: Mapping[str, str], dotenv: Path | None = None
    ) -> tuple[Self, tuple[str, ...]]:
        """The settings, with defaults for what cannot be used, and what is wrong: a line each."""
        file, problems = _read(dotenv) if dotenv else ({}, [])
        problems += [_unknown(name, str(dotenv)) for name in sorted(file.keys() - names())]
        ours = {name for name in environ if name.startswith("ASR_")}
        problems += [_unknown(name, "the environment") for name in sorted(ours - names())]
        given = _given(file) | _given(environ)
        built = {room: _build(kind, given, problems) for room, kind in rooms()}
        if not problems:
            try:
                parameters(built["speakers"])
            except ValueError as error:
                problems += str(error).splitlines()
        return cls(**built), tuple(problems)


@dataclass(frozen=True, slots=True)
class Declared:
    """One setting as a room declares it: its name, type, default, and what it does."""

    env: str
    field: str
    kind: Any
    default: Any
    help: str


def rooms() -> tuple[tuple[str, type], ...]:
    """The name of each room's settings in ``Settings``, and their dataclass."""
    return tuple(get_type_hints(Settings).items())


def declared(room: type) -> Iterator[Declared]:
    """The settings of a room, in the order of its dataclass."""
    kinds = get_type_hints(room)
    for field in fields(room):
        if env := field.metadata.get("env"):
            kind = _without_none(kinds[field.name])
            yield Declared(env, field.name, kind, field.default, field.metadata["help"])


def names() -> frozenset[str]:
    """The names of all settings."""
    return frozenset(setting.env for _, room in rooms() for setting in declared(room))


def _without_none(kind: Any) -> Any:
    """``X`` of ``X | None``."""
    kept = [part for part in get_args(kind) if part is not NoneType]
    return kept[0] if NoneType in get_args(kind) and len(kept) == 1 else kind


def _read(file: Path) -> tuple[dict[str, str], list[str]]:
    """The names and values in a ``.env`` file, and what is wrong with it; no file is no values."""
    values: dict[str, str] = {}
    problems: list[str] = []
    try:
        with file.open(encoding="utf-8-sig") as stream:
            for line in parse_stream(stream):
                if line.key is not None and line.value is not None:
                    values[line.key] = line.value
                elif line.key is not None or line.error:
                    problems.append(f"{file}, line {line.original.line}: expected NAME=value")
    except FileNotFoundError:
        pass
    except (OSError, UnicodeError):
        problems.append(f"{file} cannot be read as UTF-8 text")
    return values, problems


def _unknown(name: str, where: str) -> str:
    """A line that refuses a name, with the nearest one that exists."""
    near = difflib.get_close_matches(name, sorted(names()), n=1)
    return f"{name} in {where} is not a setting" + (f"; did you mean {near[0]}?" if near else "")


def _given(source: Mapping[str, str]) -> dict[str, str]:
    """What a source really says of our settings."""
    stripped = {name: source[name].strip() for name in names() & source.keys()}
    return {name: text for name, text in stripped.items() if text or name in EMPTY_COUNTS}


def _build(room: type, given: Mapping[str, str], problems: list[str]) -> Any:
    """A room's settings out of texts; what cannot be converted is added to ``problems``."""
    values: dict[str, Any] = {}
    for setting in declared(room):
        values[setting.field] = _default(setting)
        if setting.env in given:
            try:
                values[setting.field] = _convert(setting, given[setting.env])
            except Malformed as error:
                shown = "that value" if setting.kind is SecretStr else repr(given[setting.env])
                problems.append(f"{setting.env} cannot be {shown}: expected {error}")
    try:
        return room(**values)
    except ValueError as error:  # what a room's own __post_init__ refuses
        problems.append(str(error))
        return room(**{setting.field: _default(setting) for setting in declared(room)})


def _default(setting: Declared) -> Any:
    """A default as the program needs it: rooms write ``~``, for the pages to show it."""
    path = isinstance(setting.default, Path)
    return setting.default.expanduser() if path else setting.default


def _convert(setting: Declared, text: str) -> Any:
    """A text as the value of a setting, or Malformed."""
    kind, allowed = setting.kind, RANGES.get(setting.env, Range())
    bounded: Any = kind
    if kind in (int, float):
        bounded = Annotated[kind, Field(ge=allowed.least, le=allowed.most)]
    checked = TypeAdapter[Any](bounded, config=ConfigDict(allow_inf_nan=False))
    try:
        if get_origin(kind) is Mapping:
            return checked.validate_json(text)
        value = checked.validate_strings(_home(text) if kind in (str, Path) else text)
    except ValidationError:
        raise Malformed(_expected(kind, allowed)) from None
    return max(value, FLOORS[setting.env]) if setting.env in FLOORS else value


def _expected(kind: Any, allowed: Range) -> str:
    """What a setting of this kind may be, in words."""
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(str(choice) for choice in get_args(kind))
    what = KINDS.get(get_origin(kind) or kind, "another value")
    return f"{what}, {allowed}" if kind in (int, float) else what


def _home(text: str) -> str:
    """The text with a leading ``~`` expanded."""
    try:
        return str(Path(text).expanduser()) if text.startswith("~") else text
    except RuntimeError:
        raise Malformed("a path below the home folder of a user who exists") from None
