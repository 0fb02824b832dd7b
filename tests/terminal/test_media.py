"""What is found where people point."""

import os
from pathlib import Path

import pytest

from asr.pipeline.errors import InvalidRequest
from asr.terminal import media
from asr.terminal.media import Source, find


def test_a_folder_is_all_that_is_named_like_audio_or_video_in_it(tmp_path: Path) -> None:
    for name in (
        *("b.MP3", "a.mkv", "notes.txt", ".hidden.mp3", "mp3"),
        *("deep/er/c.opus", ".git/d.wav", "deep/._c.opus"),
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = find([tmp_path])
    assert found.sources == tuple(
        Source(tmp_path / name, Path(name)) for name in ("a.mkv", "b.MP3", "deep/er/c.opus")
    )
    assert found.remarks == (
        f"{tmp_path}: left out, as their names are not those of audio or video: mp3, notes.txt",
    )


def test_a_file_that_is_named_is_taken_whatever_its_name_is(tmp_path: Path) -> None:
    named = (tmp_path / "recording", Path("there/is/none.mp3"))
    named[0].touch()
    assert [source.path for source in find(named).sources] == list(named)


def test_links_to_folders_lead_nowhere_and_links_to_files_do(tmp_path: Path) -> None:
    (tmp_path / "a.mp3").touch()
    (tmp_path / "b.mp3").symlink_to("a.mp3")
    (tmp_path / "round").symlink_to(tmp_path)
    assert [source.path.name for source in find([tmp_path]).sources] == ["a.mp3", "b.mp3"]


def test_of_many_that_are_left_out_some_are_named(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.jpg").touch()
    nothing, remark = find([tmp_path]).remarks
    assert nothing == f"{tmp_path}: no audio or video is in it"
    assert remark.endswith(": 0.jpg, 1.jpg, 2.jpg and 2 more")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0)
    assert f"{tmp_path / 'closed'}: Permission denied" in find([tmp_path]).remarks


def test_a_folder_of_far_too_many_files_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(media, "FILES_MAX", 2)
    for name in ("a.mp3", "b.txt", "c.mp3"):
        (tmp_path / name).touch()
    with pytest.raises(InvalidRequest, match="more than 2 files"):
        find([tmp_path])
