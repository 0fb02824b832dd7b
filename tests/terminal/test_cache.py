"""A cache that cannot be used is told at the start, in one line."""

from pathlib import Path

import pytest

from asr.terminal.cache import find_problem


def test_a_folder_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    assert find_problem(tmp_path / "new" / "cache") is None
    assert list((tmp_path / "new" / "cache").iterdir()) == []


@pytest.mark.parametrize("inside", ["", "further"])
def test_a_file_in_its_place_is_named(tmp_path: Path, inside: str) -> None:
    (tmp_path / "file").write_text("mine")
    problem = find_problem(tmp_path / "file" / inside)
    assert problem is not None
    assert problem.startswith(f"CACHE_DIR cannot be '{tmp_path}/file")
    assert problem.endswith((": Not a directory", ": File exists"))


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="no folder here refuses root")
def test_a_folder_that_nobody_can_write_is_named() -> None:
    assert find_problem(Path("/proc/self/fd")) is not None
    assert find_problem(Path("/proc/none")) is not None
