"""Where a language's alignment network comes from: this disk, else the place that publishes it.

To fetch one may take minutes, so that is apart from reading it: nobody's words wait for a download
of another language. Which network is for which language is whispermlx's choice. Nothing that is
downloaded is run: files of weights are read as numbers only.
"""

from __future__ import annotations

import ast
import importlib.util
import ssl
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asr.pipeline.align.emissions import TorchaudioNetwork, TransformersNetwork
from asr.pipeline.align.networks import Loaded, known
from asr.pipeline.align.wording import Alphabet
from asr.pipeline.digests import find_damaged
from asr.pipeline.errors import AlignmentUnavailable
from asr.pipeline.heavy import IMPORTING
from asr.pipeline.hub import ANSWER_TIMEOUT_S

if TYPE_CHECKING:
    from collections.abc import Mapping

    from asr.pipeline.models import ModelSettings

TABLES = ("DEFAULT_ALIGN_MODELS_TORCH", "DEFAULT_ALIGN_MODELS_HF")  # an earlier one goes first
BUNDLES = "https://download.pytorch.org/torchaudio/models/"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")
CONFIGS = ("config.json", "vocab.json")
EXTRAS = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")

DOWNLOAD_MAX_S = 900.0


def published() -> Mapping[str, str]:
    """Language codes to names of torchaudio's bundles and of the hub's repositories.

    Read from whispermlx's source: its import brings pandas and NLTK, and takes seconds.
    """
    spec = importlib.util.find_spec("whispermlx")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("whispermlx is not installed")
    tree = ast.parse(Path(spec.origin).with_name("alignment.py").read_text(encoding="utf-8"))
    tables: dict[str, dict[str, str]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            if name in TABLES:
                tables[name] = ast.literal_eval(node.value)
    return {code: name for table in reversed(TABLES) for code, name in tables[table].items()}


def find(language: str, settings: ModelSettings) -> Path | None:
    """Where the network for a language is on this disk, whole. Raises AlignmentUnavailable."""
    name = known(language, published())
    try:
        found = _find(name, settings)
        return None if found is None or _is_damaged(found) else found
    except Exception:  # whatever libraries and disks raise: whoever fetches it says what is wrong
        return None


def fetch(language: str, settings: ModelSettings) -> Path:
    """Where the network for a language is on this disk: downloaded if need be.

    Blocks, for minutes then. Raises AlignmentUnavailable.
    """
    name = known(language, published())
    try:
        found = _find(name, settings)
        damaged = bool(found and _is_damaged(found))
        lacking = found is None or (damaged and found != _by_hand(name, settings))
        if lacking and not settings.hf_hub_offline:
            return _download(name, settings, anew=damaged)
    except Exception as error:  # whatever the hub library's HTTP client of the day raises
        reason = f"The alignment model {name!r} could not be fetched"
        raise AlignmentUnavailable(reason) from error
    if found is None or damaged:
        state = "is damaged" if damaged else "is not"
        why = ", which works offline" if lacking else ""
        raise AlignmentUnavailable(f"The alignment model {name!r} {state} on this server{why}")
    return found


def read(name: str, settings: ModelSettings, device: str) -> Loaded:
    """The network of that name in memory, from this disk. Raises AlignmentUnavailable."""
    read_it = _read_repository if "/" in name else _read_bundle
    try:
        found = _find(name, settings)
        if found is not None:
            return read_it(name, found, device)
    except Exception as error:  # what the libraries raise over files that are cut short, or strange
        raise AlignmentUnavailable(f"The alignment model {name!r} cannot be read") from error
    raise AlignmentUnavailable(f"The alignment model {name!r} is not on this server")


def _find(name: str, settings: ModelSettings) -> Path | None:
    """The folder of a hub's repository, or torchaudio's file, if it is on this disk."""
    if "/" in name:
        folder = _by_hand(name, settings)
        return folder if _whole(folder) else _cached(name, settings)
    path = _bundle(name)._path
    import torch

    files = (_own(settings) / path, Path(torch.hub.get_dir()) / "checkpoints" / path)
    return next((file for file in files if file.is_file()), None)


def _is_damaged(found: Path) -> bool:
    """Whether what was found is not what once came, as far as that can be told. Reads all of it."""
    files = [found / each for each in WEIGHTS] if found.is_dir() else [found]
    return find_damaged(file for file in files if file.is_file()) is not None


def _download(name: str, settings: ModelSettings, *, anew: bool) -> Path:
    """``anew``: even what is there, which is damaged."""
    if "/" in name:
        found = _download_repository(name, settings, anew=anew)
    else:
        path: str = _bundle(name)._path
        found = _own(settings) / path
        _download_file(BUNDLES + path, found)
    if _is_damaged(found):
        raise ConnectionError("something else came than was promised")
    return found


def _own(settings: ModelSettings) -> Path:
    return settings.cache_dir.expanduser() / "align"


def _by_hand(name: str, settings: ModelSettings) -> Path:
    """Where the operator may put a repository's files, which are not ours to replace."""
    return _own(settings) / name.replace("/", "--")


def _bundle(name: str) -> Any:
    with IMPORTING:
        import torchaudio  # type: ignore[import-untyped]

    return getattr(torchaudio.pipelines, name)


def _read_bundle(name: str, file: Path, device: str) -> Loaded:
    """One of torchaudio's."""
    bundle = _bundle(name)
    loading = {"model_dir": str(file.parent), "weights_only": True, "map_location": "cpu"}
    model = bundle.get_model(dl_kwargs=loading).to(device)
    labels = ((label, number) for number, label in enumerate(bundle.get_labels()))
    return Loaded(TorchaudioNetwork(model), Alphabet.of(labels))


def _read_repository(_name: str, folder: Path, device: str) -> Loaded:
    """One of a model hub's."""
    with IMPORTING:
        import torch
        from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2ForCTC

    offline: Any = {"local_files_only": True}
    labels = Wav2Vec2CTCTokenizer.from_pretrained(folder, **offline).get_vocab()
    model: Any = Wav2Vec2ForCTC.from_pretrained(folder, dtype=torch.float32, **offline)
    alphabet = heard_labels(labels, model.config.vocab_size, model.config.pad_token_id)
    return Loaded(TransformersNetwork(model.eval().to(device)), alphabet)


def heard_labels(labels: Mapping[str, int], count: int, blank: int | None) -> Alphabet:
    """The labels that a network of ``count`` has: a tokenizer adds its own where it finds none.

    ``blank`` is what the network was trained with, if its configuration says so. Raises ValueError.
    """
    alphabet = Alphabet.of((label, number) for label, number in labels.items() if number < count)
    if blank is None:
        return alphabet
    if not 0 <= blank < count:
        raise ValueError(f"a blank of {blank}, with {count} labels")
    return alphabet._replace(blank=blank)


def _whole(folder: Path) -> bool:
    """Whether a folder has all that is needed of a repository."""
    there = all((folder / name).is_file() for name in CONFIGS)
    return there and any((folder / name).is_file() for name in WEIGHTS)


def _cached(name: str, settings: ModelSettings) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json", cache_dir=_hub_cache(settings))
    folder = Path(found).parent if isinstance(found, str) else None
    return folder if folder and _whole(folder) else None


def _download_repository(name: str, settings: ModelSettings, *, anew: bool) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    place: Any = {"endpoint": settings.hf_endpoint, "token": _token(settings)}
    info = HfApi(**place).model_info(name, timeout=ANSWER_TIMEOUT_S)
    files = {file.rfilename for file in info.siblings or ()}
    weights = next((file for file in WEIGHTS if file in files), WEIGHTS[0])
    wanted = [*CONFIGS, *EXTRAS, weights]
    cache = _hub_cache(settings)
    place["force_download"] = anew
    return Path(snapshot_download(name, allow_patterns=wanted, cache_dir=cache, **place))


def _download_file(url: str, file: Path) -> None:
    """Download a file: whole, or not at all. Raises OSError."""
    import certifi  # not each Python knows where its system keeps certificates

    trusted = ssl.create_default_context(cafile=certifi.where())
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f"{file.name}.part")
    ends = time.monotonic() + DOWNLOAD_MAX_S
    try:
        with (
            urllib.request.urlopen(url, timeout=ANSWER_TIMEOUT_S, context=trusted) as answer,
            part.open("wb") as to,
        ):
            while block := answer.read(1 << 20):
                to.write(block)
                if time.monotonic() > ends:
                    raise TimeoutError("too slow")
            size = answer.headers.get("Content-Length")
            if size is not None and int(size) != to.tell():
                raise ConnectionError("cut short")
        part.replace(file)
    finally:
        part.unlink(missing_ok=True)


def _hub_cache(settings: ModelSettings) -> Path | None:
    return settings.hf_home.expanduser() / "hub" if settings.hf_home else None


def _token(settings: ModelSettings) -> str | None:
    return settings.hf_token.get_secret_value() if settings.hf_token else None
