import pytest

from asr import __version__
from asr.terminal.arguments import parse


def test_no_command_means_serve() -> None:
    assert parse([]) == parse(["serve"])


def test_transcribe_without_a_file_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["transcribe"])
    assert (ended.value.code, "FILE" in capsys.readouterr().err) == (2, True)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, f"asr-service {__version__}\n")


@pytest.mark.parametrize(
    "words",
    ["--max-line-width 0", "--audio-track two", "--max-cue-seconds nan", "--speakers 0"],
)
def test_a_number_that_means_nothing_is_a_usage_error(
    words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["transcribe", "a.mp3", *words.split()])
    assert ended.value.code == 2
    assert words.split()[0] in capsys.readouterr().err
