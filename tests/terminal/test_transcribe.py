import json
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.pipeline.cues import Layout
from asr.pipeline.errors import EngineRestarted, InvalidRequest, UnknownModel
from asr.pipeline.types import Options
from asr.terminal.arguments import parse
from asr.terminal.transcribe import Job, job, render, transcribe_files
from tests.terminal.fakes import FakeHouse, said


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    made = tuple(tmp_path / name for name in ("a.mp3", "b.wav", "c.ogg"))
    for file in made:
        file.touch()
    return made


def plain(files: tuple[Path, ...], folder: Path | None = None) -> Job:
    return Job(files, "txt", Options(), folder)


def house(**gates: trio.Event) -> FakeHouse:
    answers = {"a.mp3": said("one"), "b.wav": said("two"), "c.ogg": said("three")}
    return FakeHouse(dict(answers), {name.replace("_", "."): gate for name, gate in gates.items()})


async def test_texts_come_in_the_order_of_the_files_whichever_is_done_first(
    files: tuple[Path, ...], nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = trio.Event()
    slow_first = house(a_mp3=gate)

    async def run() -> None:
        assert await transcribe_files(slow_first.opened(), plain(files), at_once=3) == 0

    nursery.start_soon(run)
    await wait_all_tasks_blocked()
    assert {"end b.wav", "end c.ogg"} <= set(slow_first.events)
    assert capsys.readouterr().out == ""
    gate.set()
    await wait_all_tasks_blocked()
    assert capsys.readouterr() == ("one\ntwo\nthree\n", "")


async def test_files_start_in_order_and_no_more_than_allowed_at_once(
    files: tuple[Path, ...], nursery: trio.Nursery
) -> None:
    gate = trio.Event()
    busy = house(a_mp3=gate, b_wav=gate)

    async def run() -> None:
        await transcribe_files(busy.opened(), plain(files), at_once=1)

    nursery.start_soon(run)
    await wait_all_tasks_blocked()
    assert busy.events == ["open", "preload base", "start a.mp3"]
    gate.set()
    await wait_all_tasks_blocked()
    assert busy.events == [
        *("open", "preload base", "start a.mp3", "end a.mp3", "start b.wav", "end b.wav"),
        *("start c.ogg", "end c.ogg", "closed"),
    ]


async def test_a_file_that_fails_is_named_and_the_others_are_done(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, c = files
    missing = tmp_path / "missing [1].mp3"
    broken = house()
    broken.answers |= {"b.wav": EngineRestarted(), "c.ogg": said("three", warnings=("no words",))}
    assert await transcribe_files(broken.opened(), plain((a, b, missing, c)), at_once=4) == 1
    assert capsys.readouterr() == (
        "one\nthree\n",
        f"{b}: The engine was restarted while it worked on this request; send it again\n"
        f"{missing}: there is no such file\n"
        f"{c}: warning: no words\n",
    )


async def test_a_bug_of_ours_is_not_a_failed_file(files: tuple[Path, ...]) -> None:
    broken = house()
    broken.answers["a.mp3"] = RuntimeError("ours")
    with pytest.RaisesGroup(RuntimeError, flatten_subgroups=True):
        await transcribe_files(broken.opened(), plain(files), at_once=1)
    assert broken.events[-1] == "closed"


async def test_an_unknown_model_ends_it_before_any_file(files: tuple[Path, ...]) -> None:
    empty = house()
    with pytest.raises(UnknownModel):
        await transcribe_files(empty.opened(), Job(files, "txt", Options(model="x")), at_once=1)
    assert empty.events == ["open", "closed"]


async def test_texts_go_to_a_folder_under_the_files_own_names(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "texts"
    assert await transcribe_files(house().opened(), plain(files, folder), at_once=2) == 0
    written = {file.name: file.read_text() for file in folder.iterdir()}
    assert written == {"a.txt": "one\n", "b.txt": "two\n", "c.txt": "three\n"}
    assert capsys.readouterr().out == ""


def test_the_command_line_becomes_the_options_of_a_request() -> None:
    words = "transcribe a.mp3 --model base --language German --task translate --prompt Hi --words"
    assert job(parse([*words.split(), "--diarize", "--format", "srt", "-o", "out"])) == Job(
        files=(Path("a.mp3"),),
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
    ],
)
def test_counts_of_speakers_that_mean_nothing_are_refused(words: str, wrong: str) -> None:
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
    assert job(parse(["transcribe", "a.mp3", "b/a.wav"])).files == (Path("a.mp3"), Path("b/a.wav"))


def test_every_format_ends_with_a_newline_and_json_is_one_line() -> None:
    formats = ("txt", "json", "srt", "vtt", "tsv")
    texts = {name: render(said("Grüße"), Job((), name, Options())) for name in formats}
    assert [text for text in texts.values() if not text.endswith("\n")] == []
    assert json.loads(texts["json"])["text"] == "Grüße"
    assert texts["json"].count("\n") == 1
    assert "Grüße" in texts["json"]
