"""The same question has the same key, and no other has it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from asr.pipeline import identity
from asr.pipeline.audio import open_samples
from asr.pipeline.digests import seal
from asr.pipeline.identity import AudioKeys, Weights, digest_of, files_identity
from asr.pipeline.types import Decoding, Window

if TYPE_CHECKING:
    from pathlib import Path

    from asr.pipeline.audio import Audio

BASE = Weights("base", "files", "float32")
ENGLISH = Decoding("en")


@pytest.fixture
def audio(tmp_path: Path) -> Audio:
    (file := tmp_path / "samples").write_bytes(bytes(range(256)) * 100)
    return open_samples(file)


def test_the_digest_is_that_of_all_samples(audio: Audio, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = hashlib.sha256(audio.path.read_bytes()).hexdigest()
    assert digest_of(audio) == whole
    monkeypatch.setattr(identity, "BLOCK_BYTES", 1000)
    looks: list[None] = []
    assert digest_of(audio, lambda: looks.append(None)) == whole
    assert len(looks) == 26


def test_who_has_left_is_not_worked_for_to_the_end(audio: Audio) -> None:
    def leave() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        digest_of(audio, leave)


def test_what_is_decoded_depends_on_all_of_the_question(audio: Audio) -> None:
    window = Window(audio, 0.0, 0.5)
    keys = [
        AudioKeys(digest).window(weights, where, decoding)
        for digest, weights, where, decoding in (
            ("a", BASE, window, ENGLISH),
            ("b", BASE, window, ENGLISH),
            ("a", replace(BASE, name="tiny"), window, ENGLISH),
            ("a", replace(BASE, files="others"), window, ENGLISH),
            ("a", replace(BASE, compute_type="float16"), window, ENGLISH),
            ("a", BASE, replace(window, start_s=0.1), ENGLISH),
            ("a", BASE, replace(window, end_s=0.6), ENGLISH),
            ("a", BASE, window, replace(ENGLISH, language="de")),
            ("a", BASE, window, replace(ENGLISH, task="translate")),
            ("a", BASE, window, replace(ENGLISH, prompt="so")),
            ("a", BASE, window, replace(ENGLISH, temperatures=(0.0,))),
            ("a", BASE, window, replace(ENGLISH, words=True)),
            ("a", BASE, window, replace(ENGLISH, timestamps=False)),
            ("a", BASE, window, replace(ENGLISH, spelled=True)),
        )
    ]
    assert len({*keys}) == len(keys)
    assert keys[0] == AudioKeys("a").window(BASE, replace(window), Decoding("en"))
    assert all(key.startswith("window.") for key in keys)


def test_another_release_or_version_of_a_stage_asks_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    before = AudioKeys("a").speech("network")
    monkeypatch.setattr(identity, "__version__", "0.0.0")
    other = AudioKeys("a").speech("network")
    monkeypatch.setattr(identity, "STAGES", {"speech": 0})
    assert len({before, other, AudioKeys("a").speech("network")}) == 3


def test_a_folder_that_was_sealed_is_what_its_sums_say(tmp_path: Path) -> None:
    one, other = (tmp_path / name for name in ("one", "other"))
    for folder in (one, other):
        folder.mkdir()
        (folder / "weights").write_bytes(b"same")
        seal(folder)
    assert files_identity(one) == files_identity(other)
    (other / "weights").write_bytes(b"else")
    seal(other)
    assert files_identity(one) != files_identity(other)


def test_a_snapshot_of_a_hub_is_what_its_blobs_are_called(tmp_path: Path) -> None:
    (tmp_path / "blobs").mkdir()
    folders = []
    for name, blob in (("one", "abc"), ("other", "abc"), ("third", "def")):
        (tmp_path / "blobs" / blob).touch()
        (folder := tmp_path / name).mkdir()
        (folder / "weights").symlink_to(tmp_path / "blobs" / blob)
        folders.append(files_identity(folder))
    assert folders[0] == folders[1] != folders[2]


def test_other_files_are_told_by_size_and_time_as_is_a_single_one(tmp_path: Path) -> None:
    (weights := tmp_path / "weights").write_bytes(b"1")
    before = files_identity(tmp_path), files_identity(weights)
    weights.write_bytes(b"12")
    after = files_identity(tmp_path), files_identity(weights)
    assert before[0] != after[0]
    assert before[1] != after[1]
