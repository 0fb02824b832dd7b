import errno
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from asr.pipeline.errors import EngineRestarted, InvalidRequest, ModelUnavailable, UnknownModel
from asr.pipeline.types import Options, Progress
from asr.terminal.delivery import check_folder, save
from asr.terminal.job import Job
from asr.terminal.media import find
from asr.terminal.transcribe import announce, transcribe_files
from tests.terminal.fakes import FakeHouse, said

IS_FOLDER = os.strerror(errno.EISDIR)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    made = tuple(tmp_path / name for name in ("a.mp3", "b.wav", "c.ogg"))
    for file in made:
        file.touch()
    return made


def plain(files: tuple[Path, ...], folder: Path | None = None) -> Job:
    return Job(find(files).sources, "txt", Options(), folder)


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
        await transcribe_files(
            empty.opened(), replace(plain(files), options=Options(model="x")), at_once=1
        )
    assert empty.events == ["open", "closed"]


async def test_what_goes_wrong_before_any_file_is_no_interruption(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Offline(FakeHouse):
        async def preload(self, name: str) -> None:
            raise ModelUnavailable("offline")

    with pytest.RaisesGroup(ModelUnavailable, flatten_subgroups=True):
        await transcribe_files(Offline().opened(), plain(files, tmp_path), at_once=1)
    assert capsys.readouterr() == ("", "")


async def test_texts_go_to_a_folder_under_the_files_own_names(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "texts"
    assert await transcribe_files(house().opened(), plain(files, folder), at_once=2) == 0
    written = {file.name: file.read_text() for file in folder.iterdir()}
    assert written == {"a.txt": "one\n", "b.txt": "two\n", "c.txt": "three\n"}
    assert capsys.readouterr().out == ""


async def test_a_text_that_has_a_file_waits_for_no_other_and_is_there_after_an_interruption(
    files: tuple[Path, ...],
    tmp_path: Path,
    nursery: trio.Nursery,
    capsys: pytest.CaptureFixture[str],
) -> None:
    slow = house(a_mp3=trio.Event(), c_ogg=trio.Event())

    async def run() -> None:
        await transcribe_files(slow.opened(), plain(files, tmp_path / "out"), at_once=3)

    nursery.start_soon(run)
    await wait_all_tasks_blocked()
    nursery.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    assert [file.name for file in (tmp_path / "out").iterdir()] == ["b.txt"]
    said = capsys.readouterr().err
    assert said == "1 of 3 files are done, the same command does the rest\n"


async def test_an_interruption_gives_out_the_texts_that_wait_for_their_turn(
    files: tuple[Path, ...], nursery: trio.Nursery, capsys: pytest.CaptureFixture[str]
) -> None:
    slow_first = house(a_mp3=trio.Event())

    async def run() -> None:
        await transcribe_files(slow_first.opened(), plain(files), at_once=3)

    nursery.start_soon(run)
    await wait_all_tasks_blocked()
    nursery.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    assert capsys.readouterr() == ("two\nthree\n", "")


async def test_programs_read_an_object_a_line_as_soon_as_a_file_is_over(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = plain((files[0], tmp_path / "none.mp3"))
    asked = replace(asked, lines=True, progress=True)
    assert await transcribe_files(house().opened(), asked, at_once=1) == 1
    shown = capsys.readouterr()
    running, done, failed = map(json.loads, shown.out.splitlines())
    a, none = str(files[0]), str(tmp_path / "none.mp3")
    assert running == {"file": a, "status": "running", "done_s": 0.5, "total_s": 1.0}
    assert done.pop("took_s") >= 0
    assert done.pop("segments")[0]["text"] == " one"
    assert done == {
        **{"file": a, "status": "done", "duration_s": 1.0, "text": "one", "language": "en"},
        **{"word_segments": [], "warnings": []},
    }
    assert failed == {"file": none, "status": "failed", "error": "there is no such file"}
    assert shown.err == f"{none}: there is no such file\n"


async def test_lines_say_which_file_has_the_text_and_which_had_it_before(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a, b, _ = plain(files).sources
    asked = replace(plain(files, tmp_path / "out"), sources=(a,), done=(b,), lines=True)
    announce(asked)
    assert await transcribe_files(house().opened(), asked, at_once=1) == 0
    shown = capsys.readouterr()
    skipped, done = map(json.loads, shown.out.splitlines())
    out = tmp_path / "out"
    assert skipped == {"file": str(b.path), "status": "skipped", "output": str(out / "b.txt")}
    assert (done["output"], done["warnings"]) == (str(out / "a.txt"), [])
    assert "1 of 2 files have their text already" in shown.err


async def test_a_text_that_cannot_be_written_fails_its_file_alone(
    files: tuple[Path, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    (out / "a.txt").mkdir(parents=True)
    assert await transcribe_files(house().opened(), plain(files, out), at_once=1) == 1
    assert (
        capsys.readouterr().err == f"{files[0]}: {out / 'a.txt'} cannot be written: {IS_FOLDER}\n"
    )
    assert sorted(file.name for file in out.iterdir()) == ["a.txt", "b.txt", "c.txt"]


async def test_a_file_that_was_still_being_written_has_no_text(
    files: tuple[Path, ...],
    nursery: trio.Nursery,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    gate = trio.Event()

    async def run() -> None:
        asked = plain(files, tmp_path / "out")
        assert await transcribe_files(house(a_mp3=gate).opened(), asked, at_once=3) == 1

    nursery.start_soon(run)
    await wait_all_tasks_blocked()
    files[0].write_bytes(b"more")
    gate.set()
    await wait_all_tasks_blocked()
    assert f"{files[0]}: it was still being written" in capsys.readouterr().err
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == ["b.txt", "c.txt"]


def test_where_no_text_can_be_written_nothing_is_done(tmp_path: Path) -> None:
    check_folder(tmp_path / "new" / "folder")
    assert (tmp_path / "new" / "folder").is_dir()
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InvalidRequest, match="--output"):
        check_folder(tmp_path / "notes.txt")


def test_a_text_may_have_as_long_a_name_as_there_are(tmp_path: Path) -> None:
    target = tmp_path / ("x" * 251 + ".txt")
    assert save(target, "text") is None
    assert target.read_text() == "text"


async def test_where_lines_stay_they_are_rare(
    files: tuple[Path, ...],
    nursery: trio.Nursery,
    autojump_clock: trio.abc.Clock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    slow = house(a_mp3=trio.Event())
    slow.news["a.mp3"] = Progress(30.0, 60.0)

    async def run() -> None:
        await transcribe_files(slow.opened(), plain(files[:1]), at_once=1)

    nursery.start_soon(run)
    with trio.move_on_after(70):  # two times 30 s
        await trio.sleep_forever()
    assert capsys.readouterr().err.splitlines() == [
        "1.0 x realtime, a.mp3 is at 50%, 0:30 left",
        "0.5 x realtime, a.mp3 is at 50%, 1:00 left",
    ]
    slow.gates["a.mp3"].set()
