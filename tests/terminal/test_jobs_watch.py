"""Jobs of a server that somebody looks at until they end, or leaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from asr.terminal.exits import DONE, FAILED, UNAVAILABLE, USAGE
from asr.terminal.jobs_watch import FOLLOWED_MAX
from tests.terminal.fake_jobs import CANCELLED, FakeJobs, serving_jobs
from tests.terminal.fake_jobs import FAILED as FAILS
from tests.terminal.fake_servers import refusing
from tests.terminal.jobs_command import at, lines, run

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def there() -> Iterator[FakeJobs]:
    with serving_jobs() as there:
        yield there


def test_a_job_is_heard_to_its_end_over_lines_that_break(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    there.add("one", state="running")
    there.cuts.extend([2, 2, 4])
    assert at(there, "watch", "one", "--json") == DONE
    heard = lines(capsys.readouterr().out)
    assert [each["number"] for each in heard] == [1, 2, 3, 4, 5]
    assert heard[3] == {
        **{"id": "one", "number": 4, "event": "segment"},
        "data": {"index": 0, "start": 0.0, "end": 30.0, "text": " Hello."},
    }
    assert there.heard_from == [0, 2, 2, 4]


def test_who_watches_several_hears_what_became_of_each(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    there.ends |= {"two.mp3": FAILS, "three.mp3": CANCELLED}
    for name in ("one", "two", "three"):
        there.add(name, state="running")
    assert at(there, "watch", "one", "two", "three", "four") == FAILED
    said = sorted(capsys.readouterr().err.splitlines())
    assert said == [
        "four: There is no such job",
        f"one.mp3: done; its text: asr-service jobs result one --url {there.url}",
        "three.mp3: it was cancelled",
        "two.mp3: There is no sound in it",
    ]


def test_a_server_that_is_not_there_or_wants_another_key_is_no_failure_of_jobs(
    there: FakeJobs, capsys: pytest.CaptureFixture[str]
) -> None:
    with refusing() as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        assert run("watch", "one", "--url", url) == UNAVAILABLE
    assert "Connection refused" in capsys.readouterr().err
    there.key = "ours"
    assert at(there, "watch", *(f"job{number}" for number in range(40))) == USAGE
    assert len(there.asked) <= FOLLOWED_MAX
    assert ": Incorrect API key" in capsys.readouterr().err


def test_who_leaves_is_told_how_to_come_back_and_the_job_goes_on(there: FakeJobs) -> None:
    there.hold = threading.Event()
    there.add("one", state="running")
    argv = [sys.executable, "-m", "asr.run", "jobs", "watch", "one", "--json", "--url", there.url]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ
    ) as command:
        assert command.stdout
        assert command.stderr
        assert json.loads(command.stdout.readline())["number"] == 1
        command.send_signal(2)
        said = command.stderr.read()
    assert command.returncode == 130
    assert f"asr-service jobs watch one --url {there.url}" in said
    assert [each for each in there.asked if each.startswith("DELETE")] == []
