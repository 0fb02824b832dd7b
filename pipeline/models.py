"""Where models come from, in this order: a folder, the cache, an embedded package, the hub."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import SecretStr

from asr.pipeline.checkpoint import find_damage, find_flaw, folder_bytes
from asr.pipeline.embedded import EMBEDDED, Embedded, is_sound, unpack
from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.hub import Hub
from asr.pipeline.names import PUBLISHED, Allowed, allow, canonical, is_openais
from asr.pipeline.setting import setting

log = logging.getLogger(__name__)

Origin = Literal["folder", "cache", "embedded", "hub"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Which models are served, and where their files are kept."""

    cache_dir: Path = setting(
        "CACHE_DIR", Path("~/.cache/asr-service"), "converted models are kept here"
    )
    hf_home: Path | None = setting(
        "HF_HOME", None, "the model hub's cache (default: where its other programs keep it)"
    )
    hf_endpoint: str | None = setting("HF_ENDPOINT", None, "another model hub, such as a mirror")
    hf_token: SecretStr | None = setting("HF_TOKEN", None, "for models that ask for an account")
    hf_hub_offline: bool = setting("HF_HUB_OFFLINE", False, "never ask the model hub")
    preload_model: str | None = setting(
        "PRELOAD_MODEL",
        None,
        "the default model, loaded at start; empty: none is loaded at start "
        "(default: large-v3 on Metal and CUDA, else base)",
    )
    openai_whisper1_model: str | None = setting(
        "OPENAI_WHISPER1_MODEL",
        None,
        "what OpenAI's names mean, such as whisper-1 (default: as PRELOAD_MODEL)",
    )
    models_allowed: str = setting(
        "ASR_MODELS_ALLOWED",
        "",
        "further models clients may ask for: hub ids, owner/name or owner/name@revision, and paths "
        "of folders, separated by commas; *: any hub id",
    )


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model that may be asked for.

    ``location`` is for the operator: a path, package names or a hub id. ``bytes`` is an estimate
    from the number of parameters until the model is on disk, and None if even that is unknown.
    ``revision`` is the hub's: the commit that is on disk, else what will be asked for.
    """

    name: str
    origin: Origin
    location: str
    bytes: int | None
    on_disk: bool
    revision: str | None = None


class ModelStore:
    """Every model by name. Names are resolved without disk or network; only ``fetch`` downloads."""

    def __init__(self, settings: ModelSettings, *, accelerated: bool) -> None:
        """Raises UnknownModel or ValueError if the settings name a model that cannot be meant."""
        self._allowed = _allowed(settings)
        self._converted = settings.cache_dir.expanduser() / "models"
        self._hub = _hub(settings)
        fallback = "large-v3" if accelerated else "base"
        self.default = self._operators(settings.preload_model) or fallback
        self.preload = None if settings.preload_model == "" else self.default
        self._openai = self._operators(settings.openai_whisper1_model) or self.default

    def resolve(self, name: str | None) -> str:
        """The canonical name of what a client calls a model; nothing means the default.

        Raises UnknownModel.
        """
        name = (name or "").strip()
        if not name:
            return self.default
        if is_openais(name):
            return self._openai
        return canonical(name, self._allowed)

    def catalogue(self) -> tuple[ModelInfo, ...]:
        """All models that have a name here: published ones, then those the operator added."""
        listed = sorted({*self._allowed.folders, *self._allowed.repos})
        names = dict.fromkeys((*PUBLISHED, *(canonical(name, self._allowed) for name in listed)))
        return tuple(map(self.describe, names))

    def fetch(self, name: str) -> Path:
        """The folder that holds a model, converted or downloaded first if need be.

        Blocks, for minutes if it must download: call it in a thread. Raises UnknownModel, and
        ModelUnavailable if the weights cannot be had.
        """
        return self.find(name) or self.download(name)

    def find(self, name: str) -> Path | None:
        """As ``fetch``, without the network: None for what has to be downloaded."""
        name = self.resolve(name)
        if folder := self._allowed.folders.get(name):
            return _checked(name, folder)
        return self._sound(name) or self._unpacked(name)

    def _sound(self, name: str) -> Path | None:
        """What is in a cache, if it is still what came there. Reads all of it."""
        source = self._embedded(name)
        if source and is_sound(converted := self._converted / source.folder):
            return converted
        snapshot = self._snapshot(name)
        damage = find_damage(snapshot) if snapshot else None
        if damage:
            log.warning("the model %s in the hub's cache cannot be used: %s", name, damage)
        return None if damage else snapshot

    def _cached(self, name: str) -> Path | None:
        source = self._embedded(name)
        converted = self._converted / source.folder if source else None
        if converted and find_flaw(converted) is None:
            return converted
        return self._snapshot(name)

    def _snapshot(self, name: str) -> Path | None:
        repo = _repo(name)
        return self._hub.find(repo, self._allowed.revision(repo))

    def _unpacked(self, name: str) -> Path | None:
        source = self._embedded(name)
        return unpack(source, self._converted) if source and source.find() else None

    def download(self, name: str) -> Path:
        """As ``fetch``, for what ``find`` has not found: it does not look for that again."""
        repo = _repo(self.resolve(name))
        return self._hub.download(repo, revision=self._allowed.revision(repo))

    def describe(self, name: str) -> ModelInfo:
        """A model by its canonical name, as far as the disk knows it."""
        if folder := self._allowed.folders.get(name):
            flawless = find_flaw(folder) is None
            size = folder_bytes(folder) if flawless else None
            return ModelInfo(name, "folder", str(folder), size, on_disk=flawless)
        if cached := self._cached(name):
            commit = cached.name if cached.parent.name == "snapshots" else None
            size = folder_bytes(cached)
            return ModelInfo(name, "cache", str(cached), size, on_disk=True, revision=commit)
        source = self._embedded(name)
        if source and (files := source.find()):
            size = sum(file.stat().st_size for file in files)
            return ModelInfo(name, "embedded", ", ".join(source.packages), size, on_disk=True)
        published = PUBLISHED.get(name)
        size_about = published.bytes if published else None
        repo = _repo(name)
        wanted = self._allowed.revision(repo)
        return ModelInfo(name, "hub", repo, size_about, on_disk=False, revision=wanted)

    def _embedded(self, name: str) -> Embedded | None:
        """The package that holds a model; who pins a revision of the hub's wants that one."""
        if _repo(name) in self._allowed.revisions:
            return None
        return next((source for source in EMBEDDED if source.model == name), None)

    def _operators(self, name: str | None) -> str | None:
        """What a setting means by a model's name, if it gives one."""
        return canonical(name.strip(), self._allowed) if name and name.strip() else None


def _allowed(settings: ModelSettings) -> Allowed:
    """What the operator lists, and what other settings name: they need not be listed again."""
    listed = [entry.strip() for entry in settings.models_allowed.split(",")]
    named = (settings.preload_model, settings.openai_whisper1_model)
    own = [name.strip() for name in named if name and "/" in name]
    return allow([entry for entry in (*listed, *own) if entry])


def _hub(settings: ModelSettings) -> Hub:
    return Hub(
        cache=settings.hf_home.expanduser() / "hub" if settings.hf_home else None,
        endpoint=settings.hf_endpoint,
        token=settings.hf_token.get_secret_value() if settings.hf_token else None,
        offline=settings.hf_hub_offline,
    )


def _repo(name: str) -> str:
    return PUBLISHED[name].repo if name in PUBLISHED else name


def _checked(name: str, folder: Path) -> Path:
    if flaw := find_damage(folder):
        raise ModelUnavailable(f"The model {name!r} cannot be used: {flaw}")
    return folder
