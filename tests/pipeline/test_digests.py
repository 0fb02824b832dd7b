"""A file that changed since it came is found out, wherever its digest is known."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from asr.pipeline.digests import SUMS, find_damaged, is_sealed, seal, sha256


def flip(file: Path, at: int = -5) -> None:
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)


def test_a_sealed_folder_is_checked_by_its_sums_which_other_tools_read(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("config.json", "weights")]
    for file in files:
        file.write_bytes(file.name.encode() * 9)
    assert not is_sealed(tmp_path)
    seal(tmp_path)
    assert is_sealed(tmp_path)
    assert find_damaged(files) is None
    if tool := shutil.which("sha256sum"):  # not on macOS
        subprocess.run([tool, "--check", "--strict", SUMS], cwd=tmp_path, check=True)
    flip(files[1])
    assert find_damaged(files) == files[1]


def test_a_file_of_the_hubs_cache_is_checked_by_its_name_there(tmp_path: Path) -> None:
    blob = tmp_path / "draft"
    blob.write_bytes(b"weights of a model")
    blob = blob.rename(tmp_path / sha256(blob))
    link = tmp_path / "weights.safetensors"
    link.symlink_to(blob)
    assert find_damaged([link]) is None
    flip(blob)
    assert find_damaged([link]) == link
    blob.unlink()
    assert find_damaged([link]) == link


def test_small_files_of_the_hubs_cache_have_other_names_and_are_not_checked(tmp_path: Path) -> None:
    blob = tmp_path / ("a" * 40)  # git's name, of which a mirror may have its own idea
    blob.write_bytes(b"{}")
    link = tmp_path / "config.json"
    link.symlink_to(blob)
    assert find_damaged([link]) is None


@pytest.mark.parametrize("at", [300, 2000, 6000])
def test_an_archive_is_checked_by_its_own_sums(tmp_path: Path, at: int) -> None:
    file = tmp_path / "plda.npz"
    np.savez(file, mu=np.zeros(500), tr=np.ones(500))
    assert find_damaged([file]) is None
    flip(file, at)
    assert find_damaged([file]) == file


def test_a_flipped_bit_anywhere_in_an_archive_is_no_error_of_ours(tmp_path: Path) -> None:
    file = tmp_path / "plda.npz"
    np.savez_compressed(file, mu=np.zeros(5))
    whole = file.read_bytes()
    told = set()
    for bit in range(8 * len(whole)):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        file.write_bytes(data)
        told.add(find_damaged([file]))
    assert told == {file, None}  # nobody can tell of the dates in it


def test_sums_that_cannot_be_read_vouch_for_nothing(tmp_path: Path) -> None:
    (tmp_path / SUMS).write_bytes(b"\xff\xfe")
    (tmp_path / "weights").write_bytes(b"x")
    assert find_damaged([tmp_path / "weights"]) == tmp_path / "weights"
