"""What real shells offer, once they have our scripts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from asr.terminal.arguments import commands, make_parser
from asr.terminal.completion import script
from tests.terminal.screen import at_a_terminal
from tests.terminal.test_run import ROOT, run

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = ("bash", "zsh", "fish")

# The words of a line, of which the last is being typed, and what is offered for it.
LINES = (
    (["tr"], ["transcribe"]),
    (["--v"], ["--version"]),
    (["transcribe", "a.mp3", "--json"], ["--json-lines"]),
    (["transcribe", "--format", ""], ["json", "srt", "tsv", "txt", "vtt"]),
    (["transcribe", "--format", "v"], ["vtt"]),
    (["transcribe", "--model", "large-v3-"], ["large-v3-turbo"]),
    (["transcribe", "--language", "d"], ["da", "de"]),
    (["--env-file", "models", "completion", ""], ["bash", "fish", "zsh"]),
    (["jobs", "c"], ["cancel"]),
    (["jobs", "submit", "a.mp3", "--pri"], ["--priority"]),
    (["jobs", "submit", "--priority", ""], ["batch", "interactive"]),
    (["jobs", "list", "--state", "q"], ["queued"]),
)


def needs(shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"there is no {shell} here")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> str:
    """A shell that is installed here."""
    needs(request.param)
    return str(request.param)


@pytest.fixture
def file(shell: str, tmp_path: Path) -> Path:
    """The script for the shell."""
    file = tmp_path / f"completion.{shell}"
    file.write_text(script(shell, make_parser()))
    return file


@pytest.mark.parametrize("shell", SHELLS)
def test_every_command_and_every_option_is_in_the_script(shell: str) -> None:
    text = script(shell, make_parser())
    options = set(re.findall(r"--([a-z][a-z-]+)", make_parser().format_help()))
    options |= {"diarize", "json-lines", "max-line-width", "print", "json", "output", "key-file"}
    actions = (action.name for command in commands() for action in command.actions)
    names = (*(command.name for command in commands()), *actions, *options)
    missing = [name for name in names if name not in text]
    assert missing == []


def test_the_shell_reads_its_script_without_complaint(shell: str, file: Path) -> None:
    done = subprocess.run([shell, "-n", str(file)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_command_prints_it(shell: str, file: Path) -> None:
    ended = run(str(ROOT / "run.py"), "completion", shell, cwd=ROOT, PORT="nonsense")
    assert (ended.returncode, ended.stdout) == (0, file.read_text())


def test_bash_offers_what_fits(tmp_path: Path) -> None:
    asked = [words for words, _ in LINES]
    extra = [["transcribe", "--format", "=", "s"], ["transcribe", "--format", "="], ["models", ""]]
    lines = [script("bash", make_parser())]
    for words in (*asked, *extra):
        said = " ".join(f"'{word}'" for word in ("asr-service", *words))
        lines.append(f"COMP_WORDS=({said}); COMP_CWORD={len(words)}; _asr_service")
        lines.append('echo "${COMPREPLY[@]}"')
    done = subprocess.run(
        ["bash", "--norc", "-u", "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )
    offered = [sorted(line.split()) for line in done.stdout.splitlines()]
    more = [["srt"], ["json", "srt", "tsv", "txt", "vtt"], []]
    assert (offered, done.stderr) == ([fitting for _, fitting in LINES] + more, "")


def test_fish_offers_what_fits(tmp_path: Path) -> None:
    needs("fish")
    file = tmp_path / "script.fish"
    file.write_text(script("fish", make_parser()))
    lines = [line for line in LINES if line[0][0] != "--env-file"]  # it takes that for a command
    asked = [f"source {file}"]
    for words, _ in lines:
        asked.append(f"complete -C 'asr-service {' '.join(words)}'; echo ---")
    done = subprocess.run(
        ["fish", "--no-config", "-c", "\n".join(asked)], capture_output=True, text=True, check=True
    )
    blocks = done.stdout.split("---\n")[:-1]
    offered = [sorted(line.split("\t")[0] for line in block.splitlines()) for block in blocks]
    assert (offered, done.stderr) == ([fitting for _, fitting in lines], "")


# zsh takes a tab with more keys behind it for one that was pasted.
START = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], ":"),
    "zsh": (
        ["zsh", "-f", "-i"],
        "autoload -U compinit; compinit -u -D; zstyle ':completion:*' insert-tab false",
    ),
}


@pytest.mark.parametrize("shell", START)
def test_a_person_at_a_terminal_types_a_tab(shell: str, tmp_path: Path) -> None:
    needs(shell)
    argv, ready = START[shell]
    file = tmp_path / "script"
    file.write_text(script(shell, make_parser()))
    (tmp_path / "talk one.mp3").touch()
    lines = (
        ready,
        f"source {file}; cd {tmp_path}; asr-service() {{ printf '<%s>' \"$@\"; }}",
        "asr-service transc\t--form\tsr\t--outp\tnowhere tal\t",
        "exit",
    )
    keys = "".join(f"{line}\n" for line in lines)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    shown = at_a_terminal(argv, env=env, keys=keys)
    assert "<transcribe><--format><srt><--output><nowhere><talk one.mp3>" in shown.text
