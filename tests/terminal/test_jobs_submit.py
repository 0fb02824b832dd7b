"""Files that become jobs of a server, and what comes home of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from asr.terminal.exits import DONE, FAILED, UNAVAILABLE, USAGE
from asr.terminal.jobs_form import PIECE_BYTES, Form
from tests.terminal.fake_jobs import FAILED as FAILS
from tests.terminal.fake_jobs import FakeJobs, serving_jobs
from tests.terminal.fake_servers import refusing
from tests.terminal.jobs_command import at, lines, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def there() -> Iterator[FakeJobs]:
    with serving_jobs() as there:
        yield there


@pytest.fixture
def talk(tmp_path: Path) -> Path:
    file = tmp_path / "talk.mp3"
    file.write_bytes(os.urandom(700_000))
    return file


def test_a_file_goes_as_it_is_and_its_id_comes_back(
    there: FakeJobs, talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ("--model", "base", "--language", "german", "--diarize", "--speakers", "2")
    assert at(there, "submit", str(talk), *said, "--priority", "interactive") == DONE
    (job_id,) = there.jobs
    assert capsys.readouterr() == (f"{job_id}\n", "")
    assert there.sent == {"talk.mp3": talk.read_bytes()}
    assert there.forms == [
        {
            **{"model": "base", "language": "de", "task": "transcribe", "diarize": "true"},
            **{"num_speakers": "2", "priority": "interactive", "file": "talk.mp3"},
        }
    ]


def test_a_name_that_no_form_could_hold_arrives_as_browsers_send_it(
    there: FakeJobs, tmp_path: Path
) -> None:
    file = tmp_path / 'a "b"\r\nü.mp3'
    file.write_bytes(b"sound")
    assert at(there, "submit", str(file)) == DONE
    assert there.sent == {"a %22b%22%0D%0Aü.mp3": b"sound"}


def test_the_same_command_is_the_same_job_and_again_is_another(
    there: FakeJobs, talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ((), (), ("--language", "en"), ("--again",), ("--again",)):
        assert at(there, "submit", str(talk), *more) == DONE
    ids = capsys.readouterr().out.split()
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    talk.write_bytes(b"something else")
    assert at(there, "submit", str(talk)) == DONE
    assert len(there.jobs) == 5


def test_a_server_that_is_full_or_breaks_off_is_asked_again_under_the_same_key(
    there: FakeJobs, talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there.refusals.extend([(503, 0), None])
    assert at(there, "submit", str(talk)) == DONE
    assert (len(there.jobs), len(set(there.keys)), len(there.asked)) == (1, 1, 3)
    assert "no, 503; trying again" in capsys.readouterr().err


def test_what_a_server_will_never_take_is_not_asked_twice(
    there: FakeJobs, talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    second = tmp_path / "second.mp3"
    second.write_bytes(b"sound")
    there.refusals.append((413, 5))
    assert at(there, "submit", str(talk), str(second)) == FAILED
    said = capsys.readouterr()
    assert (said.err, len(said.out.split())) == (f"{talk}: no, 413\n", 1)


def test_nobody_waits_for_a_server_that_was_never_there(
    talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with refusing() as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert run("submit", str(talk), str(talk), "--url", url) == UNAVAILABLE
        assert run("list", "--url", url) == UNAVAILABLE
    assert capsys.readouterr().err.count("Connection refused") == 2


def test_a_key_that_is_not_taken_for_one_file_is_not_tried_with_the_next(
    there: FakeJobs, talk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there.key = "ours"
    missing = tmp_path / "none.mp3"
    said = (str(missing), str(talk), str(talk), "--key", "theirs")
    assert at(there, "submit", *said) == USAGE
    assert there.asked == ["POST /v1/jobs"]
    assert f"{talk}: Incorrect API key\n" in capsys.readouterr().err


def test_results_are_written_where_transcribe_would_write_them(
    there: FakeJobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.mp3").write_bytes(name.encode())
    there.ends["b.mp3"] = FAILS
    files = [str(tmp_path / f"{name}.mp3") for name in ("a", "b", "c")]
    out = tmp_path / "out"
    said = ("-o", str(out), "--format", "srt", "--max-line-width", "42")
    assert at(there, "submit", *files, *said) == FAILED
    written = {file.name: file.read_text() for file in out.iterdir()}
    text = "format=srt max_line_width=42 speakers=false\n"
    assert written == {"a.srt": text, "c.srt": text}
    heard = capsys.readouterr()
    assert (heard.out, "b.mp3: There is no sound in it" in heard.err) == ("", True)
    assert at(there, "submit", *files, *said) == FAILED  # b again: the same job, and why
    assert "--again makes a new job of it" in capsys.readouterr().err
    assert len(there.jobs) == 3


def test_texts_are_printed_in_the_order_of_their_files(
    there: FakeJobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.mp3").write_bytes(name.encode())
    files = [str(tmp_path / "a.mp3"), str(tmp_path / "none.mp3"), str(tmp_path / "b.mp3")]
    assert at(there, "submit", "--wait", *files) == FAILED
    heard = capsys.readouterr()
    assert heard.out == "format=txt speakers=false\n" * 2
    assert "none.mp3: No such file or directory" in heard.err


def test_programs_hear_of_every_file(
    there: FakeJobs, talk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert at(there, "submit", "--wait", "--json", "--format", "json", str(talk)) == DONE
    first, last = lines(capsys.readouterr().out)
    assert (first["status"], first["job"]["id"]) == ("submitted", last["id"])
    assert (last["file"], last["status"]) == (str(talk), "done")
    assert last["result"] == {"text": "format=json speakers=false"}


def test_a_file_that_shrinks_under_way_is_not_sent_as_another(talk: Path) -> None:
    form = Form({}, talk)
    size = form.measured()
    pieces = form.pieces(size)
    next(pieces)
    next(pieces)
    os.truncate(talk, 10)
    with pytest.raises(OSError, match="shrank"):
        list(pieces)


def test_a_form_is_as_long_as_it_says_and_goes_in_pieces(talk: Path) -> None:
    form = Form({"prompt": "Ä"}, talk)
    pieces = list(form.pieces(form.measured()))
    assert sum(map(len, pieces)) == form.measured()
    assert max(map(len, pieces)) == PIECE_BYTES
