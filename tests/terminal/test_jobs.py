"""What ``asr-service jobs`` asks of a server, and what it makes of the answers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from asr.terminal.exits import DONE, FAILED, UNAVAILABLE, USAGE
from tests.terminal.fake_jobs import FakeJobs, serving_jobs
from tests.terminal.fake_servers import server
from tests.terminal.jobs_command import at, lines, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def there() -> Iterator[FakeJobs]:
    with serving_jobs() as there:
        yield there


def test_a_server_of_somebody_else_is_said_to_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    with server(b"<html>") as port:
        assert run("list", "--url", f"http://127.0.0.1:{port}") == UNAVAILABLE
    assert "not one of this program's server" in capsys.readouterr().err


def test_jobs_are_listed_page_by_page_as_a_table_or_for_programs(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(130):
        there.add(f"job{number}", audio_s=61.0)
    there.add("stuck", state="running", audio_s=100.0, done_s=25.0, left_s=70.0)
    there.add("bad", state="failed", error={"message": "no\x1b[2J sound"})
    there.add("next", state="queued", place=3)
    assert at(there, "list", "--json", "--limit", "120") == DONE
    assert [each["id"] for each in lines(capsys.readouterr().out)] == [
        f"job{number}" for number in range(120)
    ]
    assert at(there, "list", "--limit", "200") == DONE
    rows = [re.split(r" {2,}", row.strip()) for row in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["id", "state", "file", "audio", "model", "sent"]
    assert rows[1][:4] == ["job0", "done", "job0.mp3", "1:01"]
    assert [row[1] for row in rows[-3:]] == [
        "running, 25%, 1:10 left",
        r"failed: no\x1b[2J sound",
        "queued, place 3",
    ]
    assert at(there, "list", "--state", "cancelled") == DONE
    assert capsys.readouterr() == ("", "asr-service: there are no jobs\n")


def test_all_that_is_known_of_a_job_is_shown(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    there.add("one", warnings=["a", "b"], stages={"decode": 1.5}, language=None)
    assert at(there, "show", "one") == DONE
    shown = capsys.readouterr().out
    assert re.search(r"warnings +a; b *\n", shown)
    assert re.search(r"stages +decode 1\.5 *\n", shown)
    assert re.search(r"created_at +2026-", shown)
    assert "language" not in shown
    assert at(there, "show", "two") == FAILED
    assert capsys.readouterr().err == "asr-service: There is no such job\n"


def test_a_result_comes_in_any_format_to_stdout_or_a_file(
    there: FakeJobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there.add("one")
    assert (
        at(there, "result", "one", "--format", "vtt", "--highlight-words", "--no-speakers") == DONE
    )
    assert capsys.readouterr().out == "format=vtt highlight_words=true speakers=false\n"
    file = tmp_path / "one.txt"
    assert at(there, "result", "one", "-o", str(file)) == DONE
    assert file.read_text() == "format=txt speakers=true\n"


def test_cancel_ends_and_never_deletes_a_result(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    there.add("one", state="running")
    there.add("two", state="done")
    assert at(there, "cancel", "one", "two") == FAILED
    assert {job["id"]: job["state"] for job in there.jobs.values()} == {
        "one": "cancelled",
        "two": "done",
    }
    assert "two: it has ended before: done" in capsys.readouterr().err


def test_cancel_comes_too_late_for_a_job_that_ends_meanwhile_and_leaves_its_result(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    there.add("one", state="running")
    there.late = True
    assert at(there, "cancel", "one") == FAILED
    assert there.jobs["one"]["state"] == "done"
    assert "one: it has ended before: done" in capsys.readouterr().err


def test_a_result_of_a_job_without_one_is_not_waited_for(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    there.add("one", state="failed", error={"message": "There is no sound in it"})
    there.add("two", state="cancelled")
    assert at(there, "result", "one") == FAILED
    assert at(there, "result", "two") == FAILED
    assert capsys.readouterr() == (
        "",
        "asr-service: one: There is no sound in it\nasr-service: two: it was cancelled\n",
    )
    assert there.asked == ["GET /v1/jobs/one", "GET /v1/jobs/two"]


def test_delete_leaves_nothing_of_jobs_at_work_or_done(there: FakeJobs) -> None:
    there.add("one", state="running")
    there.add("two", state="done")
    assert at(there, "delete", "one", "two") == DONE
    assert there.jobs == {}


def test_our_own_key_is_for_our_own_server_alone(
    there: FakeJobs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {"API_KEYS": "ours,second", "PORT": str(there.port), "HOST": "0.0.0.0"}
    assert run("list", **own) == DONE
    assert there.authorizations == {"Bearer ours"}
    there.authorizations.clear()
    assert run("list", "--url", there.url, **own) == DONE
    assert there.authorizations == {""}
    (tmp_path / "key").write_text("theirs\n")
    there.authorizations.clear()
    assert run("list", "--url", there.url, "--key-file", str(tmp_path / "key"), **own) == DONE
    assert run("list", "--key", "mine", **own) == DONE
    assert there.authorizations == {"Bearer theirs", "Bearer mine"}
    assert "theirs" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("list", "--url", "ftp://x"), "is not an address such as"),
        (("list", "--url", "http://x:99999"), "is not an address such as"),
        (("list", "--url", "http://x y"), "is not an address such as"),
        (("submit", "a.mp3", "--format", "srt"), "need --wait or --output"),
        (("submit", "a.mp3", "--speakers", "2"), "only matters with --diarize"),
        (("list", "--key", "two words"), "visible ASCII"),
        (("list", "--key-file", "/dev/null"), "--key-file"),
    ],
)
def test_what_means_nothing_is_a_usage_error(
    words: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = run(*words)
    except SystemExit as ended:
        code = int(str(ended.code))
    assert code == USAGE
    assert said in capsys.readouterr().err
