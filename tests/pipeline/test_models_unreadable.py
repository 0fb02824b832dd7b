"""Files that nobody may look at are a model that cannot be had, and no error of ours.

Tests may run as root, who may look at everything: names that are too long for any disk are as good.
"""

from pathlib import Path

import pytest

from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.models import ModelSettings, ModelStore
from tests.pipeline.test_models import make_checkpoint

TOO_LONG = "x" * 300


def store(tmp_path: Path, *, cache: Path | None = None, allowed: str = "") -> ModelStore:
    settings = ModelSettings(
        cache_dir=cache or tmp_path / "cache",
        hf_home=tmp_path / "hf",
        hf_hub_offline=True,
        models_allowed=allowed,
    )
    return ModelStore(settings, accelerated=False)


def test_a_folder_that_cannot_be_read_is_listed_as_not_here(tmp_path: Path) -> None:
    models = store(tmp_path, allowed=f"{tmp_path}/{TOO_LONG}/own")
    listed = next(model for model in models.catalogue() if model.name == "own")
    assert (listed.bytes, listed.on_disk) == (None, False)
    with pytest.raises(ModelUnavailable, match="'own' cannot be used: it"):
        models.fetch("own")


def test_weights_that_cannot_be_looked_for_are_a_flaw(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "own")
    (folder / "weights.safetensors").unlink()
    (folder / "weights.safetensors").symlink_to(TOO_LONG)
    with pytest.raises(ModelUnavailable, match="'own' cannot be used: it"):
        store(tmp_path, allowed=str(folder)).fetch("own")


def test_files_that_cannot_be_counted_have_no_size(tmp_path: Path) -> None:
    folder = make_checkpoint(tmp_path / "own")
    (folder / "notes").symlink_to(TOO_LONG)
    models = store(tmp_path, allowed=str(folder))
    listed = next(model for model in models.catalogue() if model.name == "own")
    assert (listed.bytes, listed.on_disk) == (None, True)


def test_a_cache_that_cannot_be_read_makes_a_model_unavailable(tmp_path: Path) -> None:
    models = store(tmp_path, cache=tmp_path / TOO_LONG)
    assert "base" in {model.name for model in models.catalogue()}
    with pytest.raises(ModelUnavailable, match="cannot be written to the server's cache"):
        models.fetch("base")


def test_a_hubs_cache_that_cannot_be_read_holds_nothing(tmp_path: Path) -> None:
    home = tmp_path / "hf" / "hub" / "models--org--own"
    for folder in ("refs", "snapshots"):
        (home / folder).mkdir(parents=True)
    (home / "refs" / "main").write_text(TOO_LONG)
    with pytest.raises(ModelUnavailable, match="'org/own' is not on this server"):
        store(tmp_path, allowed="org/own").fetch("org/own")
