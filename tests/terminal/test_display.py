"""What people see while files are being worked on."""

import io

import pytest
from rich.console import Console

from asr.pipeline.types import Progress
from asr.terminal.display import picture
from asr.terminal.tally import Tally, clock
from tests.terminal.fakes import said


def tally(files: int = 1) -> Tally:
    return Tally(files, 100.0)


def lines(tally: Tally, now_s: float, *, width: int = 80, height: int = 24) -> list[str]:
    """The picture as a terminal without colours shows it."""
    console = Console(file=io.StringIO(), width=width, no_color=True)
    with console.capture() as shown:
        console.print(picture(tally, now_s, width=width, height=height))
    return [" ".join(line.split()) for line in shown.get().splitlines()]


def moved(name: str, done_s: float, total_s: float, *, files: int = 1) -> Tally:
    one = tally(files)
    one.move(one.begin(name, 100.0), Progress(done_s, total_s))
    return one


def test_at_first_the_model_loads() -> None:
    assert lines(tally(), 101.0) == ["loading the model"]
    assert tally().sentence(101.0) == "loading the model"


@pytest.mark.parametrize(
    ("done_s", "total_s", "shown"),
    [
        (0.0, 0.0, ("reading", "")),
        (0.0, 60.0, ("transcribing", "0%")),
        (30.0, 60.0, ("transcribing", "50% 3.0x 0:10 left")),
        (60.0, 60.0, ("finishing", "100% 6.0x 0:00 left")),
    ],
)
def test_a_file_has_a_state_a_bar_a_speed_and_a_time_left(
    done_s: float, total_s: float, shown: tuple[str, str]
) -> None:
    (line,) = lines(moved("a.mp3", done_s, total_s), 110.0)
    state, numbers = shown
    assert line.startswith(f"a.mp3 {state}")
    assert line.endswith(numbers)
    assert ("\u2501" in line) == (done_s > 0 or not total_s)  # the bar, of which none shows at 0


def test_no_speed_is_told_of_the_first_moment() -> None:
    (line,) = lines(moved("a.mp3", 30.0, 60.0), 100.5)
    assert line.endswith("50%")


def test_many_files_have_a_sum_and_only_as_many_bars_as_there_is_room_for() -> None:
    many = tally(40)
    many.heard_s, many.over, many.failed = 100.0, 3, 1
    for number in range(20):
        many.begin(f"{number}.mp3", 100.0)
    shown = lines(many, 110.0, height=12)
    assert [line.split()[0] for line in shown[:-1]] == [f"{n}.mp3" for n in range(6)]
    assert shown[-1] == "3 of 40 files, 1 failed, 10.0 x realtime"


@pytest.mark.parametrize("previews", [True, False])
def test_the_newest_text_is_in_sight_unless_it_is_printed(previews: bool) -> None:
    one = tally()
    one.previews = previews
    one.move(one.begin("a.mp3", 100.0), Progress(1.0, 2.0, said("so it begins").segments))
    first, *_ = lines(one, 101.0)
    assert (first == "so it begins") == previews


@pytest.mark.parametrize("width", [20, 40, 400])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    one = moved("a very long name of a recording of which there is no end.mp3", 30.0, 60.0)
    console = Console(file=io.StringIO(), width=width)
    with console.capture() as shown:
        console.print(picture(one, 110.0, width=width, height=24))
    assert max(map(len, shown.get().splitlines())) <= width


def test_a_name_moves_no_cursor() -> None:
    (line,) = lines(moved("\x1b[2Ja\n.mp3", 1.0, 2.0), 101.0)
    assert line.startswith(r"\x1b[2Ja\n.mp3 transcribing")


def test_a_sentence_says_the_same() -> None:
    one = moved("a.mp3", 30.0, 60.0)
    assert one.sentence(110.0) == "3.0 x realtime, a.mp3 is at 50%, 0:10 left"
    many = moved("b.mp3", 0.0, 0.0, files=3)
    many.over, many.failed = 2, 1
    assert many.sentence(110.0) == "2 of 3 files done, 1 failed, b.mp3 is at its beginning"


@pytest.mark.parametrize(
    ("seconds", "shown"), [(7.4, "0:07"), (59.6, "1:00"), (750, "12:30"), (3723, "1:02:03")]
)
def test_times_are_told_as_people_read_them(seconds: float, shown: str) -> None:
    assert clock(seconds) == shown
