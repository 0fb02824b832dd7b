"""What a model may be called, and which model is meant. Nothing here touches disk or network."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from asr.pipeline.errors import UnknownModel


@dataclass(frozen=True, slots=True)
class Published:
    """A model of OpenAI's: where the hub has it in MLX form, and its number of parameters."""

    repo: str
    parameters: int

    @property
    def bytes(self) -> int:
        """About what its files hold: float16, two bytes a parameter."""
        return 2 * self.parameters


# Parameter counts: the table in openai/whisper's README. Repositories: those of mlx-community that
# mlx-whisper's README names.
PUBLISHED = {
    "tiny": Published("mlx-community/whisper-tiny-mlx", 39_000_000),
    "tiny.en": Published("mlx-community/whisper-tiny.en-mlx", 39_000_000),
    "base": Published("mlx-community/whisper-base-mlx", 74_000_000),
    "base.en": Published("mlx-community/whisper-base.en-mlx", 74_000_000),
    "small": Published("mlx-community/whisper-small-mlx", 244_000_000),
    "small.en": Published("mlx-community/whisper-small.en-mlx", 244_000_000),
    "medium": Published("mlx-community/whisper-medium-mlx", 769_000_000),
    "medium.en": Published("mlx-community/whisper-medium.en-mlx", 769_000_000),
    # Not whisper-large-mlx, which whispermlx takes for v1: its config is that of v3 (128 mels).
    "large-v1": Published("mlx-community/whisper-large-v1-mlx", 1_550_000_000),
    "large-v2": Published("mlx-community/whisper-large-v2-mlx", 1_550_000_000),
    "large-v3": Published("mlx-community/whisper-large-v3-mlx", 1_550_000_000),
    "large-v3-turbo": Published("mlx-community/whisper-large-v3-turbo", 809_000_000),
}

# As in openai/whisper.
SHORT = {"large": "large-v3", "turbo": "large-v3-turbo"}

# What OpenAI's clients send, also with a snapshot's date; they mean whatever the operator serves.
OPENAI_NAMES = (
    "whisper-1",
    "gpt-4o-transcribe",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe-diarize",
    "gpt-transcribe",
)
SNAPSHOT = re.compile(r"-\d{4}-\d\d-\d\d$", re.ASCII)

# owner/name as the hub allows it, and nothing that could climb out of a folder.
REPO = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)

# A branch, a tag or a commit of one of them, where the operator pins it.
PINNED = re.compile(rf"(?P<repo>{REPO.pattern})@(?P<revision>[A-Za-z0-9][\w.-]{{0,99}})", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}")
MAIN = "main"

# A longer name is not echoed in full.
ECHO_MAX = 100


def is_openais(name: str) -> bool:
    """Whether it is a name of OpenAI's own."""
    return SNAPSHOT.sub("", name.lower()) in OPENAI_NAMES


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator allows beside the published names."""

    folders: dict[str, Path]
    repos: frozenset[str]
    any_repo: bool = False
    revisions: Mapping[str, str] = field(default_factory=dict)

    def revision(self, repo: str) -> str:
        """The branch, tag or commit that is meant by a repository."""
        return self.revisions.get(repo, MAIN)


def allow(entries: Sequence[str]) -> Allowed:
    """Sort hub ids, folders and "*"; a folder answers to its last part, so that no path gets out.

    A hub id may be pinned: owner/name@revision. Raises ValueError if an entry is none of these, two
    folders share a name, or a hub id has two revisions.
    """
    folders: dict[str, Path] = {}
    repos = set[str]()
    revisions: dict[str, str] = {}
    for entry in entries:
        if folder := _folder_at(entry):
            if folders.setdefault(folder.name, folder) != folder:
                raise ValueError(f"two model folders are called {folder.name!r}")
        elif REPO.fullmatch(entry):
            repos.add(entry)
        elif pinned := PINNED.fullmatch(entry):
            repo, revision = pinned["repo"], pinned["revision"]
            repos.add(repo)
            if revisions.setdefault(repo, revision) != revision:
                raise ValueError(f"two revisions of {repo!r} are named")
        elif entry != "*":
            raise ValueError(f"{entry!r} is neither org/name, nor the path of a folder, nor *")
    return Allowed(folders, frozenset(repos), "*" in entries, revisions)


def canonical(name: str, allowed: Allowed) -> str:
    """The one name of a model that may be called several. Raises UnknownModel."""
    if name in allowed.folders:
        return name
    if _is_path(name):
        return _folder_name(name, allowed)
    name = _unpinned(name, allowed)
    published = _published(name)
    if published:
        return published
    if REPO.fullmatch(name) and (allowed.any_repo or name in allowed.repos):
        return name
    raise UnknownModel(name[:ECHO_MAX], tuple(PUBLISHED))


def _unpinned(name: str, allowed: Allowed) -> str:
    """A hub id without its revision, if that is the one that is served."""
    repo, _, revision = name.partition("@")
    return repo if revision and allowed.revisions.get(repo) == revision else name


def _published(name: str) -> str | None:
    for known, model in PUBLISHED.items():
        if model.repo == name:
            return known
    plain = name.lower().removeprefix("whisper-")
    plain = SHORT.get(plain, plain)
    return plain if plain in PUBLISHED else None


def _folder_name(path: str, allowed: Allowed) -> str:
    folder = _folder_at(path)
    if folder is None or allowed.folders.get(folder.name) != folder:
        raise UnknownModel(path[:ECHO_MAX], tuple(PUBLISHED))
    return folder.name


def _folder_at(path: str) -> Path | None:
    """The folder that a path means, if it is one: ~nobody has no home, and none has a NUL."""
    try:
        return Path(path).expanduser().absolute() if _is_path(path) else None
    except (RuntimeError, ValueError):
        return None


def _is_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~"))
