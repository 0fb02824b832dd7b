import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from asr.pipeline.cues import Layout
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.types import Options
from asr.terminal.arguments import parse
from asr.terminal.delivery import render
from asr.terminal.job import Job, job
from asr.terminal.media import Source
from tests.terminal.fakes import said


def test_the_command_line_becomes_the_options_of_a_request() -> None:
    words = "transcribe a.mp3 --model base --language German --task translate --prompt Hi --words"
    assert job(parse([*words.split(), "--diarize", "--format", "srt", "-o", "out"])) == Job(
        sources=(Source(Path("a.mp3"), Path("a.mp3")),),
        format="srt",
        options=Options(
            model="base", language="de", task="translate", prompt="Hi", words=True, diarize=True
        ),
        folder=Path("out"),
    )


def test_subtitles_have_the_layout_asked_for_and_the_words_that_it_wants() -> None:
    words = "transcribe a.mkv --audio-track 2 --max-line-width 42 --max-line-count 2"
    more = "--max-words-per-line 7 --max-cue-seconds 7 --highlight-words --format"
    asked = job(parse([*f"{words} {more}".split(), "vtt"]))
    assert asked.layout == Layout(42, 2, 7, True, 7.0)
    assert asked.options == Options(words=True, audio_track=2)


def test_who_knows_how_many_speak_may_say_so() -> None:
    words = "transcribe a.mp3 --diarize --speakers 2 --min-speakers 1 --max-speakers 3"
    asked = Options(diarize=True, num_speakers=2, min_speakers=1, max_speakers=3)
    assert job(parse(words.split())).options == asked


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        ("--speakers 2", "only matters with --diarize"),
        ("--max-speakers 2", "only matters with --diarize"),
        ("--diarize --min-speakers 3 --max-speakers 2", "is more than"),
        ("--json-lines --format srt", "needs --output"),
        ("--progress", "only matters with --json-lines"),
        ("--again", "only matters with --output"),
    ],
)
def test_what_would_be_without_effect_is_refused(words: str, wrong: str) -> None:
    with pytest.raises(InvalidRequest, match=wrong):
        job(parse(["transcribe", "a.mp3", *words.split()]))


@pytest.mark.parametrize("format", ["txt", "json", "srt", "vtt", "tsv"])
def test_speakers_are_named_in_every_format_if_they_are_asked_for(format: str) -> None:
    heard = said("one")
    heard = replace(heard, segments=tuple(replace(s, speaker="Zoë") for s in heard.segments))
    assert "Zoë" in render(heard, Job((), format, Options(diarize=True)))


@pytest.mark.parametrize("format", ["txt", "json", "tsv"])
def test_a_layout_is_refused_where_it_would_not_show(format: str) -> None:
    with pytest.raises(InvalidRequest, match="only shows in srt and vtt"):
        job(parse(["transcribe", "a.mp3", "--max-line-width", "42", "--format", format]))


def test_the_layout_is_that_of_the_text() -> None:
    wide = Job((), "srt", Options(), layout=Layout(line_width_max=5))
    assert render(said("one two"), wide).splitlines()[2:4] == ["one", "two"]


def test_a_language_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="Klingon"):
        job(parse(["transcribe", "a.mp3", "--language", "Klingon"]))


@pytest.mark.parametrize(
    "names",
    [("a.mp3", "b/a.wav"), ("A.mp3", "a.wav"), ("a.mp3", "a.mp3"), ("out/a.txt", "a.mp3")],
)
def test_no_text_may_overwrite_another_or_an_input(names: tuple[str, ...]) -> None:
    with pytest.raises(InvalidRequest, match="would be written for"):
        job(parse(["transcribe", *names, "-o", "out"]))


def test_files_of_one_stem_may_share_stdout() -> None:
    asked = job(parse(["transcribe", "a.mp3", "b/a.wav"]))
    assert [source.path for source in asked.sources] == [Path("a.mp3"), Path("b/a.wav")]


def test_every_format_ends_with_a_newline_and_json_is_one_line() -> None:
    formats = ("txt", "json", "srt", "vtt", "tsv")
    texts = {name: render(said("Grüße"), Job((), name, Options())) for name in formats}
    assert [text for text in texts.values() if not text.endswith("\n")] == []
    assert json.loads(texts["json"])["text"] == "Grüße"
    assert texts["json"].count("\n") == 1
    assert "Grüße" in texts["json"]


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """A folder with two files, one of them in a folder of its own; nothing is written yet."""
    folder = tmp_path / "talks"
    (folder / "may").mkdir(parents=True)
    for name in ("a.mp3", "may/b.mp3"):
        (folder / name).touch()
    return folder


def test_texts_lie_in_the_folders_that_their_files_lie_in(talks: Path, tmp_path: Path) -> None:
    asked = job(parse(["transcribe", str(talks), "-o", str(tmp_path / "out"), "--format", "srt"]))
    assert list(map(asked.target, asked.sources)) == [
        tmp_path / "out" / "a.srt",
        tmp_path / "out" / "may" / "b.srt",
    ]


@pytest.mark.parametrize(
    ("age_s", "again", "left"),
    [(0, [], ["b.mp3"]), (60, [], ["a.mp3", "b.mp3"]), (0, ["--again"], ["a.mp3", "b.mp3"])],
)
def test_a_text_that_is_there_is_not_made_again_unless_its_file_is_newer_or_that_is_asked_for(
    talks: Path, age_s: int, again: list[str], left: list[str]
) -> None:
    text = talks / "a.txt"
    text.touch()
    made_s = (talks / "a.mp3").stat().st_mtime - age_s
    os.utime(text, (made_s, made_s))
    asked = job(parse(["transcribe", str(talks), "-o", str(talks), *again]))
    assert [source.path.name for source in asked.sources] == left
    done = [source.path.name for source in asked.done]
    assert sorted(left + done) == ["a.mp3", "b.mp3"]


def test_a_text_of_another_format_is_another_text(talks: Path) -> None:
    (talks / "a.srt").touch()
    assert job(parse(["transcribe", str(talks), "-o", str(talks)])).done == ()
