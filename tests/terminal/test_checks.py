"""What the examination says of a machine that lacks something."""

from __future__ import annotations

import resource
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from asr.actors.settings import HouseSettings
from asr.terminal import checks
from asr.terminal.checks import check_descriptors, check_disk, check_ffmpeg
from asr.terminal.descriptors import Need
from asr.terminal.findings import Finding

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which programs are looked for."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(file: Path, text: str) -> None:
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def told(*decoders: str) -> str:
    lines = "\n".join(f" A....D {name:20} what it is" for name in decoders)
    return f"cat << 'END'\nffmpeg version 7.1-x Copyright\n V....D mp3 a film\n{lines}\nEND"


def test_an_ffmpeg_is_named_with_its_version_and_what_it_cannot_read(bin: Path) -> None:
    everything = [names[0] for names in checks.DECODERS.values()]
    program(bin / "ffmpeg", f"PATH=/bin:/usr/bin\n{told(*everything)}")
    (finding,) = check_ffmpeg()
    assert finding == Finding("ffmpeg", "right", f"7.1-x at {bin}/ffmpeg, reads all that is common")
    program(bin / "ffmpeg", f"PATH=/bin:/usr/bin\n{told(*everything[2:])}")
    (finding,) = check_ffmpeg()
    assert (finding.state, finding.what) == ("note", f"7.1-x at {bin}/ffmpeg cannot read MP3, AAC")


@pytest.mark.parametrize("text", ["exit 1", "#!/no/such/shell"])
def test_an_ffmpeg_that_does_not_run_is_wrong(bin: Path, text: str) -> None:
    program(bin / "ffmpeg", text)
    if text.startswith("#!"):
        (bin / "ffmpeg").write_text(f"{text}\n")
    (finding,) = check_ffmpeg()
    assert (finding.state, finding.todo) == ("wrong", "install it anew")


def test_the_real_ffmpeg_reads_all_that_is_common() -> None:
    (finding,) = check_ffmpeg()
    assert finding.state == "right", finding.what


@pytest.mark.parametrize(
    ("floor_mb", "upload_mb", "state"),
    [(0, 1, "right"), (0, 1_000_000_000, "note"), (1_000_000_000, 1, "wrong")],
)
def test_the_disk_has_room_for_uploads_or_not(
    tmp_path: Path, floor_mb: int, upload_mb: int, state: str
) -> None:
    house = replace(HouseSettings(), disk_free_min_mb=floor_mb, max_file_size_mb=upload_mb)
    (finding,) = check_disk(tmp_path, house)
    assert finding.state == state
    assert bool(finding.todo) == (state != "right")


def test_a_cache_that_cannot_be_used_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (finding,) = check_disk(tmp_path / "file", HouseSettings())
    assert (finding.state, "Not a directory" in finding.what or "File exists" in finding.what) == (
        "wrong",
        True,
    )


def test_descriptors_are_enough_or_fewer_connections_are_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    need = Need(connections=1000, uploads=128, running=8)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, need.descriptors(1000)))
    (finding,) = check_descriptors(need)
    assert finding.state == "right"
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, need.descriptors(999)))
    (finding,) = check_descriptors(need)
    assert (finding.state, "so 999 connections instead of 1000" in finding.what) == ("note", True)
