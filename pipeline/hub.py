"""Models from a Hugging Face hub: what its cache on this disk holds, and downloads into it.

Only this file knows the hub's library. Nothing of it is imported until a download is needed.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asr.pipeline.checkpoint import WEIGHTS, find_damage, find_flaw, find_weights
from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.names import COMMIT, MAIN

# The hub answers questions in well under a second; the library would wait for ever.
ANSWER_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub, and the folder of its cache. ``endpoint`` None is the public one."""

    cache: Path | None = None
    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)
    offline: bool = False

    def find(self, repo: str, revision: str = MAIN) -> Path | None:
        """The usable copy of a repository's revision in the cache, if there is one."""
        snapshot = self._snapshot(repo, revision)
        return snapshot if snapshot and find_flaw(snapshot) is None else None

    def download(self, repo: str, *, revision: str = MAIN) -> Path:
        """Download what is missing or damaged of a repository; its folder. Blocks for long.

        One file of weights is fetched, in the format that we prefer. Raises ModelUnavailable.
        """
        damaged = self._is_damaged(repo, revision)
        if self.offline:
            state = "is damaged" if damaged else "is not"
            raise ModelUnavailable(
                f"The model {repo!r} {state} on this server, which works offline"
            )
        wanted = self._ask(repo, revision)
        folder = self._fetch(repo, wanted, revision=revision, force_download=damaged)
        if flaw := find_damage(folder):
            raise ModelUnavailable(f"The model {repo!r} cannot be used: {flaw}")
        return folder

    def _ask(self, repo: str, revision: str) -> list[str]:
        """The files to fetch."""
        from huggingface_hub import HfApi
        from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

        try:
            info = HfApi(endpoint=self.endpoint, token=self.token).model_info(
                repo, revision=revision, timeout=ANSWER_TIMEOUT_S
            )
        except RevisionNotFoundError as error:
            told = f"The model hub has no revision {revision!r} of the model {repo!r}"
            raise ModelUnavailable(told) from error
        except RepositoryNotFoundError as error:
            raise ModelUnavailable(
                f"The model hub has no model {repo!r}, or does not give it to this server"
            ) from error
        except Exception as error:  # whatever the library's HTTP client of the day raises
            raise ModelUnavailable(f"The model hub cannot be reached for {repo!r}") from error
        names = {file.rfilename for file in info.siblings or ()}
        weights = next((name for name in WEIGHTS if name in names), None)
        if weights is None or "config.json" not in names:
            raise ModelUnavailable(f"{repo!r} is not a Whisper model in MLX form")
        return ["config.json", weights]

    def _fetch(self, repo: str, wanted: list[str], **which: Any) -> Path:
        from huggingface_hub import snapshot_download

        try:
            folder = snapshot_download(
                repo,
                allow_patterns=wanted,
                cache_dir=self._cache,
                endpoint=self.endpoint,
                token=self.token,
                **which,
            )
        except Exception as error:  # its HTTP client's errors, a full disk, a torn connection
            raise ModelUnavailable(f"The download of the model {repo!r} failed") from error
        return Path(folder)

    def _is_damaged(self, repo: str, revision: str) -> bool:
        """Whether whole files are there and yet of no use: the library would keep them."""
        snapshot = self._snapshot(repo, revision)
        try:
            return bool(snapshot and find_weights(snapshot) and find_damage(snapshot))
        except OSError:  # not ours to read, so not ours to mend
            return False

    def _snapshot(self, repo: str, revision: str) -> Path | None:
        """Where the cache has a repository's revision, if it knows of it."""
        # https://huggingface.co/docs/huggingface_hub/guides/manage-cache describes the layout.
        # Read by hand: the library takes a second to import.
        home = self._cache / f"models--{repo.replace('/', '--')}"
        try:
            known = COMMIT.fullmatch(revision)
            commit = revision if known else (home / "refs" / revision).read_text().strip()
        except OSError:
            return None
        return home / "snapshots" / commit

    @property
    def _cache(self) -> Path:
        if self.cache:
            return self.cache
        from huggingface_hub import constants  # where the user's other programs keep theirs

        return Path(constants.HF_HUB_CACHE)
