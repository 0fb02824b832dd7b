"""What is measured, with how much patience, and how it is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest
import trio

from asr.pipeline.audio import SAMPLE_BYTES, SAMPLE_RATE
from asr.pipeline.errors import InvalidRequest
from asr.pipeline.types import Options, Progress, Transcript
from asr.terminal.arguments import parse
from asr.terminal.bench import AT_ONCE_MAX, Ask, Measured, Report, Trial, ask, cut, show, write
from tests.terminal.fakes import said
from tests.terminal.test_run import ROOT, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr.actors.house import House

AUDIO = ROOT / "tests" / "audio"

REPORT = Report(
    model="base",
    device="cpu",
    compute_type="float32",
    words=True,
    speakers=False,
    ready_s=1.25,
    first_text_s=0.5,
    weights_bytes=145_000_000,
    arrays_bytes=300_000_000,
    process_bytes=900_000_000,
    measured=(Measured(1, 30.0, 5.0), Measured(2, 60.0, 6.0)),
    left_out=(4, 8),
)


async def passes(seconds: float) -> None:
    """Time, on the test's own clock."""
    with trio.move_on_after(seconds):
        await trio.sleep_forever()


class Steady:
    """A house in which a window takes its time, and half of it together with another."""

    device = "cpu"

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self.began: list[tuple[float, str, bool]] = []

    async def transcribe(
        self,
        path: Path,
        options: Options,
        *,
        raw: bool,
        notify: Callable[[Progress], None],
        live: bool,
    ) -> Transcript:
        assert raw
        self.began.append((trio.current_time(), path.name, live))
        transcript = said("one")
        await passes(self._window_s / 2)
        notify(Progress(0.5, 1.0, transcript.segments))
        at_once = sum(began == self.began[-1][0] for began, _, _ in self.began)
        await passes(self._window_s / 2 * at_once)
        return transcript


def trial(house: Steady, *, at_once: int = AT_ONCE_MAX) -> Trial:
    return Trial(cast("House", house), Options(), (Path("a"), Path("b")), at_once=at_once)


async def test_each_size_is_measured_in_turn_after_one_to_warm_up(
    autojump_clock: trio.abc.Clock,
) -> None:
    house = Steady(2.0)
    one = trial(house)
    await one.run(1000.0)
    assert [(measured.at_once, measured.audio_s) for measured in one.measured] == [
        *((1, 30.0), (2, 60.0), (4, 120.0), (8, 240.0))
    ]
    took_s = [measured.took_s for measured in one.measured]
    assert took_s == pytest.approx([2.0, 3.0, 5.0, 9.0])
    assert one.first_text_s == pytest.approx(1.0)
    assert one.left_out == []
    assert [live for _, _, live in house.began].count(True) == 1
    assert sorted(name for _, name, _ in house.began[2:4]) == ["a", "b"]


async def test_what_there_is_no_time_for_is_left_out(autojump_clock: trio.abc.Clock) -> None:
    one = trial(Steady(2.0))
    await one.run(7.0)  # 2 s, then 4 s expected of which 3 s come, then 6 s expected
    assert [measured.at_once for measured in one.measured] == [1, 2]
    assert one.left_out == [4, 8]


async def test_what_there_are_no_descriptors_for_is_left_out(
    autojump_clock: trio.abc.Clock,
) -> None:
    one = trial(Steady(2.0), at_once=5)
    await one.run(1000.0)
    assert [measured.at_once for measured in one.measured] == [1, 2, 4]
    assert one.left_out == [8]


async def test_a_slow_machine_measures_one_window_at_least(autojump_clock: trio.abc.Clock) -> None:
    one = trial(Steady(200.0))
    await one.run(1.0)
    assert [measured.at_once for measured in one.measured] == [1]


@pytest.mark.parametrize(("name", "clips"), [("austen-kennedy-44s.flac", 1), ("jfk.flac", 1)])
async def test_a_recording_is_cut_into_windows_and_a_short_one_repeats(
    name: str, clips: int, tmp_path: Path
) -> None:
    made = await cut(AUDIO / name, tmp_path)
    size = 30 * SAMPLE_RATE * SAMPLE_BYTES
    assert [clip.stat().st_size for clip in made] == [size] * clips
    assert made[0].read_bytes()[-1000:].strip(b"\0")  # something is said to the end


def test_people_read_a_table_and_what_it_means(capsys: pytest.CaptureFixture[str]) -> None:
    show(REPORT)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("base, with words, on cpu in float32: asr-service ")
    assert [line.split() for line in lines[1:3]] == [
        ["1", "0:30", "5.0", "s", "6.0"],
        ["2", "1:00", "6.0", "s", "10.0"],
    ]
    assert lines[3:] == [
        "The model is ready after 1.2 s, a window alone has its first text after 0.5 s.",
        "Memory: 145.0 MB of weights, 300.0 MB of arrays and 900.0 MB in all at most.",
        "At its best an hour of speech takes 6:00.",
        "There was no time for 4, 8 at once: see --seconds.",
    ]


def test_what_says_nothing_has_no_first_text(capsys: pytest.CaptureFixture[str]) -> None:
    show(replace(REPORT, first_text_s=None, left_out=()))
    said = capsys.readouterr().out
    assert "a window alone has no text." in said
    assert "no time" not in said


def test_programs_read_the_same_as_an_object(capsys: pytest.CaptureFixture[str]) -> None:
    write(REPORT)
    told = json.loads(capsys.readouterr().out)
    assert told["measured"][1] == {"at_once": 2, "audio_s": 60.0, "took_s": 6.0, "speed": 10.0}
    assert (told["model"], told["first_text_s"], told["left_out"]) == ("base", 0.5, [4, 8])


def test_a_command_line_says_what_to_measure(tmp_path: Path) -> None:
    file = tmp_path / "talk.mp3"
    file.touch()
    words = f"bench {file} --model base --words --diarize --seconds 5 --json"
    options = Options(model="base", words=True, diarize=True)
    assert ask(parse(words.split())) == Ask(file, options, 5.0, True)
    with pytest.raises(InvalidRequest, match="no such file"):
        ask(parse(["bench", "nowhere"]))


def test_without_a_recording_it_says_that_it_needs_one(tmp_path: Path) -> None:
    ended = run(str(ROOT / "run.py"), "bench", cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == (
        "asr-service: bench needs a recording of speech, 30 s or more: asr-service bench talk.mp3\n"
    )
