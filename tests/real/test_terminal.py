"""The command line at a real terminal, and at none: bars, text that grows, Ctrl-C, what is left.

The engine says "word" of each window, but for one test.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.real import sounds
from tests.real.process import RUN
from tests.terminal.screen import at_a_terminal

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

# The command as people run it, with an engine and networks that take no time.
FAKED = (
    "import sys, asr.building, asr.run\n"
    "from tests.real import rigged\n"
    "asr.building.load_engine, asr.building.tools = rigged.fake_engine, rigged.fake_tools\n"
    "sys.exit(asr.run.main(sys.argv[1:]))\n"
)
STYLES = re.compile(r"\x1b\[[0-9;]*m")
CONTROLS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def faked(*words: str) -> list[str]:
    return [sys.executable, "-c", FAKED, *words]


@pytest.fixture
def environment_here(environment: dict[str, str]) -> dict[str, str]:
    return environment | {"PYTHONPATH": str(RUN.parent), "PRELOAD_MODEL": "tiny.en"}


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """A folder with two recordings, one of them deeper, and a note."""
    folder = tmp_path / "talks"
    (folder / "may").mkdir(parents=True)
    shutil.copy(sounds.JFK, folder / "a.flac")
    shutil.copy(sounds.JFK, folder / "may" / "b.flac")
    (folder / "notes.txt").write_text("no sound")
    return folder


def run(argv: list[str], env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False)


def test_at_a_terminal_a_file_has_a_bar_and_its_text(environment_here: dict[str, str]) -> None:
    argv = [sys.executable, str(RUN), "transcribe", str(sounds.JFK)]
    shown = at_a_terminal(argv, env=environment_here)
    assert shown.code == 0, shown.text
    plain = CONTROLS.sub("", shown.text)
    assert "loading the model" in plain
    assert re.search(r"jfk\.flac transcribing \S+ +\d+%", plain)
    assert plain.lower().count("what you can do for your country") == 1  # and not in the bars, too
    assert shown.text.rfind("\x1b[?25h") > shown.text.rfind("\x1b[?25l")  # the cursor is back


def test_without_colours_nothing_has_one(environment_here: dict[str, str], talks: Path) -> None:
    argv = faked("transcribe", str(talks))
    shown = at_a_terminal(argv, env=environment_here | {"NO_COLOR": "1"})
    assert shown.code == 0
    codes = {code for style in STYLES.findall(shown.text) for code in style[2:-1].split(";")}
    assert codes <= {"0", "1", "2", ""}  # plain, bold and dim
    assert "2 of 2 files" in shown.text
    assert f"{talks}/may/b.flac" in shown.text


def test_a_folder_is_done_once_and_again_if_it_is_asked_for(
    environment_here: dict[str, str], talks: Path, tmp_path: Path
) -> None:
    argv = faked("transcribe", str(talks), "-o", str(tmp_path / "out"), "--format", "srt")
    first = run(argv, environment_here)
    assert (first.returncode, first.stdout) == (0, "")
    assert first.stderr == (
        f"{talks}: left out, as their names are not those of audio or video: notes.txt\n"
    )
    written = sorted(file.relative_to(tmp_path / "out") for file in (tmp_path / "out").rglob("*.*"))
    assert list(map(str, written)) == ["a.srt", "may/b.srt"]
    (tmp_path / "out" / "a.srt").unlink()
    second = run([*argv, "--json-lines"], environment_here)
    lines = [json.loads(line) for line in second.stdout.splitlines()]
    assert [(line["status"], line["output"]) for line in lines] == [
        ("skipped", f"{tmp_path}/out/may/b.srt"),
        ("done", f"{tmp_path}/out/a.srt"),
    ]
    assert "1 of 2 files have their text already" in second.stderr
    third = run(argv, environment_here)
    assert (third.returncode, "2 of 2 files have" in third.stderr) == (0, True)


def test_an_interruption_leaves_what_is_done(
    environment_here: dict[str, str], talks: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    one_at_once = environment_here | {"GPU_CONCURRENCY": "1"}
    for number in range(200):
        (talks / f"c{number:03}.flac").symlink_to(talks / "a.flac")
    argv = faked("transcribe", str(talks), "-o", str(out), "--json-lines")
    with subprocess.Popen(
        argv, env=one_at_once, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as command:
        assert command.stdout
        assert command.stderr
        first = json.loads(command.stdout.readline())
        command.send_signal(signal.SIGINT)
        rest = [json.loads(line) for line in command.stdout]
        said = command.stderr.read()
    assert command.returncode == 128 + signal.SIGINT
    done = [first, *rest]
    assert len(done) < 202
    assert sorted(str(file) for file in out.rglob("*.*")) == sorted(line["output"] for line in done)
    assert f"{len(done)} of 202 files are done, the same command does the rest" in said


def test_the_bench_tells_programs_what_it_measured(environment_here: dict[str, str]) -> None:
    done = run(faked("bench", str(sounds.AUSTEN), "--json"), environment_here)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [one["at_once"] for one in told["measured"]] == [1, 2, 4, 8]
    assert (told["model"], told["left_out"], done.stderr) == ("tiny.en", [], "")
    assert all(one["speed"] > 1 for one in told["measured"])
