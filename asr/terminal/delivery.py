"""Where texts go: to stdout in the order of their files, into a folder, or as lines of JSON."""

from __future__ import annotations

import json
import os
import secrets
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from asr.pipeline.cues import one_line, prefix
from asr.pipeline.errors import AsrError, InvalidRequest
from asr.pipeline.formats import CLASSIC, WRAPPED, asr_json
from asr.pipeline.types import Transcript
from asr.terminal.logs import ONE_LINE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from asr.pipeline.types import Segment
    from asr.terminal.display import Display
    from asr.terminal.job import Job
    from asr.terminal.media import Source
    from asr.terminal.tally import Going

# Colours that are told apart on black and on white; past so many speakers they begin again.
COLOURS = ("cyan", "magenta", "green", "yellow", "blue", "red")


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a file, and how long that took."""

    source: Source
    outcome: Transcript | AsrError
    took_s: float


@dataclass(slots=True)
class Delivery:
    """Gives out what files have become, and counts whether it could."""

    job: Job
    display: Display
    failed: int = 0
    given: int = 0
    _grown: int = 0  # segments of the only file that have been printed already
    _due: int = 0  # whose text is printed next
    _waiting: dict[int, Ending] = field(default_factory=dict)
    _colours: dict[str, str] = field(default_factory=dict)

    @property
    def grows(self) -> bool:
        """Whether text is printed as it is heard: for a person, if nothing is known only later."""
        job = self.job
        alone = len(job.sources) == 1 and not job.done
        return alone and self._for_a_person and not job.options.diarize

    @property
    def _for_a_person(self) -> bool:
        job = self.job
        return job.format == "txt" and not (job.folder or job.lines) and sys.stdout.isatty()

    def grow(self, segments: Sequence[Segment]) -> None:
        """Print what has become known of the only file."""
        if segments and self.grows:
            self._grown += len(segments)
            self._show(segments)

    def deliver(self, number: int, ending: Ending) -> None:
        """A file is over, the ``number``-th of the job; texts on stdout wait for those before."""
        if self.job.folder or self.job.lines:
            self._give(ending)
            return
        self._waiting[number] = ending
        while self._due in self._waiting:
            self._give(self._waiting.pop(self._due))
            self._due += 1

    def give_all(self) -> None:
        """Nobody will come any more for whom it would be worth waiting."""
        for number in sorted(self._waiting):
            self._give(self._waiting.pop(number))

    def tell(self, source: Source, going: Going, speed: float | None) -> None:
        """How far a file is, where that is asked for."""
        if self.job.progress:
            how_far = {"done_s": round(going.done_s, 3), "total_s": round(going.total_s, 3)}
            pace = {"speed": round(speed, 2)} if speed else {}
            self._write({"file": str(source.path), "status": "running", **how_far, **pace})

    def _give(self, ending: Ending) -> None:
        path, outcome = ending.source.path, ending.outcome
        problem = outcome.message if isinstance(outcome, AsrError) else None
        target = self.job.target(ending.source)
        if isinstance(outcome, Transcript):
            self._warn(path, outcome)
            if target:
                problem = save(target, render(outcome, self.job))
            elif not self.job.lines:
                self._print(path, outcome)
        if problem is None:
            self.given += 1
        else:
            self.failed += 1
            self.display.say(f"{path}: {problem}")
        if self.job.lines:
            self._write(_line(ending, target, problem))

    def _write(self, line: dict[str, Any]) -> None:
        with self.display.aside():
            write_line(line)

    def _warn(self, path: Path, transcript: Transcript) -> None:
        for warning in () if self.job.lines else transcript.warnings:
            self.display.say(f"{path}: warning: {warning}")

    def _print(self, path: Path, transcript: Transcript) -> None:
        if self._for_a_person:
            if len(self.job.sources) > 1:
                self._show_heading(path)
            self._show(transcript.segments[self._grown :])
            return
        with self.display.aside():
            sys.stdout.write(render(transcript, self.job))
            sys.stdout.flush()

    def _show_heading(self, path: Path) -> None:
        with self.display.aside():
            name = os.fsencode(path).decode(errors="replace")  # it may be no text at all
            _stdout().print(Text(name.translate(ONE_LINE), style="bold"), soft_wrap=True)

    def _show(self, segments: Sequence[Segment]) -> None:
        """The lines of the format txt, with a colour a speaker."""
        with self.display.aside():
            console = _stdout()
            for segment in segments:
                label = prefix(segment.speaker, speakers=self.job.options.diarize)
                colour = self._colours.setdefault(label, COLOURS[len(self._colours) % len(COLOURS)])
                line = Text()
                line.append(label.translate(ONE_LINE), f"bold {colour}")
                line.append(one_line(segment.text).translate(ONE_LINE), colour if label else "")
                console.print(line, soft_wrap=True)


def skipped(job: Job) -> None:
    """Tell programs what there is already."""
    for source in job.done if job.lines else ():
        write_line(
            {"file": str(source.path), "status": "skipped", "output": str(job.target(source))}
        )


def render(transcript: Transcript, job: Job) -> str:
    """The transcript in the job's format, ending with a newline."""
    if job.format == "json":
        return json.dumps(asr_json(transcript, listed=False), ensure_ascii=False) + "\n"
    style = (WRAPPED if job.options.diarize else CLASSIC)[job.format]
    text = style.write(transcript, speakers=job.options.diarize, layout=job.layout)
    return text if text.endswith("\n") else text + "\n"


def check_folder(folder: Path | None) -> None:
    """Raise InvalidRequest if no text can be written there: before the work, not after."""
    if folder is None:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidRequest(f"--output: {folder} cannot be written: {error.strerror}") from None


def save(target: Path, text: str) -> str | None:
    """Have a file hold the text, all of it or as before; why not, if it does not."""
    draft = target.with_name(f".{secrets.token_hex(8)}.part")  # no longer than a name may be
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        return f"{target} cannot be written: {error.strerror}"
    return None


def write_line(line: dict[str, Any]) -> None:
    """An object on a line of stdout, in ASCII: whatever a file is called, programs can read it."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def _line(ending: Ending, target: Path | None, problem: str | None) -> dict[str, Any]:
    about: dict[str, Any] = {"file": str(ending.source.path)}
    if problem is not None or isinstance(ending.outcome, AsrError):
        return {**about, "status": "failed", "error": problem}
    heard = ending.outcome
    about |= {
        "status": "done",
        "duration_s": round(heard.duration_s, 3),
        "took_s": round(ending.took_s, 3),
    }
    if target:
        return {**about, "output": str(target), "warnings": list(heard.warnings)}
    return {**about, **asr_json(heard, listed=False)}


def _stdout() -> Console:
    return Console(highlight=False)
